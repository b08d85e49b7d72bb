#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# invar loss: values, gradients, and what it refuses.
# covers: verb.loss
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    golden=$root/tests/golden
}

@test "prints the parts under the names of the golden case and writes gradients" {
    run --separate-stderr "$invar" loss relic --in "z1=$golden/relic_hf/z1.npy" --in "z2=$golden/relic_hf/z2.npy" \
        views=2 target=false tau=0.1 alpha=1 --float64 --grad out/gradients
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [[ "$output" == *"loss "*"10.25557544517385"* ]]
    [[ "$output" == *"contrast "*"4.17185232445357"* ]]
    [[ "$output" == *"invariance "*"6.08372312072028"* ]]
    [ "$(ls out/gradients)" = "$(printf 'grad_z1.npy\ngrad_z2.npy')" ]
}

@test "targets get no gradient" {
    run --separate-stderr "$invar" loss relic target=true --in "q1=$golden/relic_target/q1.npy" \
        "q2=$golden/relic_target/q2.npy" "t1=$golden/relic_target/t1.npy" "t2=$golden/relic_target/t2.npy" --grad g --json
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    json_object <<<"$output"
    [ "$(ls g)" = "$(printf 'grad_q1.npy\ngrad_q2.npy')" ]
}

@test "a term of one matrix reads z; presets print their parts; byol reads p and t" {
    run --separate-stderr "$invar" loss logdet --in "z=$golden/logdet_wide/z.npy" beta=1 divide_by=d --float64 --grad g
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [[ "$output" == *"entropy "*"2.7420159420833"* ]]
    [[ "$output" == *"entropy_loss "*"0.2285013285069"* ]]
    [ "$(ls g)" = grad_z.npy ]
    run --separate-stderr "$invar" loss vicreg --in "z1=$golden/vicreg_total/z1.npy" "z2=$golden/vicreg_total/z2.npy" \
        lambda=25 mu=25 nu=1 --float64
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [[ "$output" == *"loss "*"10.6273646320134"* ]]
    [[ "$output" == *"covariance "*"0.4581765457237"* ]]
    run --separate-stderr "$invar" loss byol --in "p1=$golden/byol_small/p1.npy" "p2=$golden/byol_small/p2.npy" \
        "t1=$golden/byol_small/t1.npy" "t2=$golden/byol_small/t2.npy" --float64 --grad byol
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [[ "$output" == *"0.8375486670724"* ]]
    [ "$(ls byol)" = "$(printf 'grad_p1.npy\ngrad_p2.npy')" ]
}

@test "what a term of single views and a preset refuse" {
    fails_with 2 "$invar" loss pairdist sigma=1
    says "one view"
    fails_with 2 "$invar" loss vicreg lambda=0 mu=0 nu=0 --in "z1=$golden/vicreg_n2/z1.npy" "z2=$golden/vicreg_n2/z2.npy"
    says lambda mu nu
    fails_with 2 "$invar" loss byol --in "p1=$golden/byol_small/p1.npy" "p2=$golden/byol_small/p2.npy"
    says t1 missing
    fails_with 2 "$invar" loss logdet beta=0 --in "z=$golden/logdet_wide/z.npy"
    says beta
}

@test "unknown terms, inputs and options are named with the nearest known one" {
    fails_with 2 "$invar" loss relik --in "z1=$golden/relic_hf/z1.npy"
    says relik 'did you mean "relic"?'
    fails_with 2 "$invar" loss relic --in "z1=$golden/relic_hf/z1.npy" --in "z2=$golden/relic_hf/z2.npy" alhpa=1
    says alhpa 'did you mean "alpha"'
    fails_with 2 "$invar" loss relic --in "y1=$golden/relic_hf/z1.npy"
    says y1
    fails_with 2 "$invar" loss relic --in "$golden/relic_hf/z1.npy"
    says NAME=FILE.npy
}

@test "inputs that are missing, unread, doubled or do not fit are refused" {
    fails_with 2 "$invar" loss relic --in "z1=$golden/relic_hf/z1.npy"
    says "two views"
    fails_with 2 "$invar" loss relic target=true --in "q1=$golden/relic_target/q1.npy" "q2=$golden/relic_target/q2.npy"
    says t1 missing
    fails_with 2 "$invar" loss ntxent --in "z1=$golden/relic_hf/z1.npy" --in "z1=$golden/relic_hf/z2.npy"
    says z1 twice
    fails_with 2 "$invar" loss ntxent --in "q1=$golden/relic_hf/z1.npy"
    says "does not read q1"
    fails_with 1 "$invar" loss ntxent --in "z1=$golden/relic_hf/z1.npy" --in "z2=$golden/relic_hf_n64/z2.npy"
    says rows
    fails_with 1 "$invar" loss ntxent --in "z1=$golden/knn_k5/labels.npy" --in "z2=$golden/relic_hf/z2.npy"
    says labels.npy int64
    fails_with 2 "$invar" loss relic views=3 --in "z1=$golden/relic_hf/z1.npy" --in "z2=$golden/relic_hf/z2.npy"
    says views
}

@test "groups are one id a sample" {
    local inputs=(--in "z1=$golden/relic_groups/z1.npy" --in "z2=$golden/relic_groups/z2.npy")
    run "$invar" loss relic tau=0.2 groups=true "${inputs[@]}" --in "groups=$golden/relic_groups/groups.npy"
    [ "$status" -eq 0 ]
    [[ "$output" == *"2.37855"* ]]
    fails_with 2 "$invar" loss relic groups=true "${inputs[@]}"
    says groups missing
    fails_with 2 "$invar" loss relic "${inputs[@]}" --in "groups=$golden/relic_groups/groups.npy"
    says groups=true
    fails_with 1 "$invar" loss relic groups=true "${inputs[@]}" --in "groups=$golden/knn_k5/labels.npy"
    says ids samples
}

@test "files that are missing, foreign or truncated are refused" {
    fails_with 1 "$invar" loss ntxent --in z1=none.npy --in "z2=$golden/relic_hf/z2.npy"
    says none.npy
    echo "no array" >text.npy
    fails_with 1 "$invar" loss ntxent --in z1=text.npy --in "z2=$golden/relic_hf/z2.npy"
    says text.npy
    head -c 200 "$golden/relic_hf/z1.npy" >short.npy
    fails_with 1 "$invar" loss ntxent --in z1=short.npy --in "z2=$golden/relic_hf/z2.npy"
    says short.npy
}

# spoil FROM TO BYTES: a copy of an array of float64 whose element 11 has these bytes
spoil() {
    local from=$1 to=$2 bytes=$3
    cp "$from" "$to"
    printf '%b' "$bytes" | dd of="$to" bs=1 seek=$((128 + 8 * 11)) conv=notrunc status=none
}

# good TERM NAME: an array that the term takes under this name
good() {
    case $1-$2 in
    vime-*) echo "$golden/vime_small/$2.npy" ;;
    *2) echo "$golden/relic_hf/z2.npy" ;;
    *) echo "$golden/relic_hf/z1.npy" ;;
    esac
}

@test "NaN and Inf in any input of any term are reported, not computed with" {
    local term names name inputs beside tried bad width
    local nan='\0\0\0\0\0\0\0370\0177' infinity='\0\0\0\0\0\0\0360\0377'
    for term in $("$build/tests/components" | sed -n 's/^term[.]//p'); do
        tried=
        beside=()
        case $term in
        imix) beside=(--in "partner=$golden/imix_small/partner.npy" --in "share=$golden/imix_small/share.npy") ;;
        cross_entropy) beside=(--in "labels=$golden/cross_entropy_two_views/labels.npy") ;;
        esac
        # the inputs that this term takes with its defaults
        for names in "z1 z2" "p1 p2 t1 t2" "q1 q2 t1 t2" "h1 h2" "z z_tilde" "z" "z x" "z1 x m1" \
            "z1 z2 q1 q2" "q1 t2" "q1 q2"; do
            inputs=("${beside[@]}")
            for name in $names; do
                inputs+=(--in "$name=$(good "$term" "$name")")
            done
            "$invar" loss "$term" "${inputs[@]}" >/dev/null 2>&1 || continue
            tried=yes
            for name in $names; do
                spoil "$(good "$term" "$name")" nan.npy "$nan"
                spoil "$(good "$term" "$name")" infinity.npy "$infinity"
                # NaN in one type, Inf in the other
                for bad in nan infinity; do
                    [ $bad = nan ] && width= || width=--float64
                    fails_with 1 "$invar" loss "$term" ${inputs[@]/$name=*/$name=$bad.npy} $width --grad g
                    says "$term" "not finite"
                done
            done
            break
        done
        [ -n "$tried" ] || { echo "no inputs of $term are known here: add them"; false; }
    done
    [ ! -e g ]
}

@test "gradients that cannot be written are an error" {
    touch file
    fails_with 1 "$invar" loss ntxent --in "z1=$golden/relic_hf/z1.npy" --in "z2=$golden/relic_hf/z2.npy" --grad file
    says file
}

@test "labels, and what views were mixed of" {
    local z=(--in "z1=$golden/imix_small/z1.npy" --in "z2=$golden/imix_small/z2.npy")
    local mixture=(--in "partner=$golden/imix_small/partner.npy" --in "share=$golden/imix_small/share.npy")
    run "$invar" loss imix tau=0.2 "${z[@]}" "${mixture[@]}"
    [ "$status" -eq 0 ]
    fails_with 2 "$invar" loss imix "${z[@]}" "${mixture[@]:0:2}"
    says share missing
    fails_with 1 "$invar" loss imix "${z[@]}" --in "partner=$golden/imix_small/share.npy"
    says integers
    fails_with 2 "$invar" loss ntxent "${z[@]}" "${mixture[@]}"
    says partner "leave it out"
    local logits=(--in "z1=$golden/cross_entropy_two_views/z1.npy")
    run "$invar" loss cross_entropy "${logits[@]}" --in "labels=$golden/cross_entropy_two_views/labels.npy"
    [ "$status" -eq 0 ]
    fails_with 1 "$invar" loss cross_entropy "${logits[@]}" --in "labels=$golden/knn_k5/labels.npy"
    says labels "one id a sample"
}

@test "a former name of an option is read, with a warning" {
    local z="z=$golden/logdet_tall/z.npy" former=normalize # the former name
    "$invar" loss logdet --in "$z" normalise=true >now
    run --separate-stderr "$invar" loss logdet --in "$z" "$former=true"
    echo "$output$stderr"
    [ "$status" -eq 0 ]
    [ "$output" = "$(cat now)" ]
    [[ "$stderr" == *"$former is called normalise now"* ]]
    ! "$invar" loss logdet --help | grep "$former"
}
