#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Tables from a CSV file to embeddings: what the columns mean travels with the encoder.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    table 160 >my.csv
}

# table ROWS: a number, one with missing values, a category, and a class that the first decides
table() {
    echo "size,age,colour,class"
    for i in $(seq 0 $(($1 - 1))); do
        local age=$((i * 7 % 31)) colours=(red green blue)
        [ $((i % 5)) -ne 0 ] || age="?"
        echo "$((i * 13 % 100))e-1,$age,${colours[i % 3]},$([ $((i * 13 % 100)) -lt 50 ] && echo small || echo large)"
    done
}

pretrain() {
    local recipe=$1
    shift
    "$invar" pretrain "$recipe" --threads 1 data.source=csv:my.csv data.label=class training.steps=12 training.batch=32 \
        'encoder.widths=[16]' 'projector.hidden=[16]' "$@"
}

@test "names in a comment that are no UTF-8 are refused, as cells are" {
    cd "$BATS_TEST_TMPDIR"
    printf '# a,b\xff\n1,2\n3,4\n5,6\n7,8\n' >names.csv
    fails_with 1 "$invar" data csv:names.csv
    says 'names.csv: the comment that names its columns' 'is not UTF-8 text'
    printf 'a,b\n1,2\n3,\xe4\n' >cells.csv
    fails_with 1 "$invar" data csv:cells.csv
    says 'cells.csv, line 3' 'is not UTF-8 text'
}

@test "data shows the columns, their kinds, missing values and classes" {
    run "$invar" data csv:my.csv label=class
    [ "$status" -eq 0 ]
    grep -q "^columns    3, as 8 numbers a row" <<<"$output"
    grep -qE "^  age +numeric +2[0-9] +[0-9]+ +mean" <<<"$output"
    grep -qE "^  colour +categorical .*blue, green, red" <<<"$output"
    grep -qE "^  small +[0-9]+ +[0-9]+" <<<"$output"
    run --separate-stderr "$invar" data csv:my.csv label=class --json
    "$build/tests/is_json" <<<"$output"
    fails_with 1 "$invar" data csv:my.csv label=clas
    says clas class
}

@test "every recipe for tables trains, and its run can be probed" {
    for recipe in scarf-table dae-table vime-table simclr-table; do
        echo "$recipe"
        pretrain "$recipe" --run "$recipe"
        "$invar" probe "$recipe" --threads 1 --baseline random --baseline input --json | "$build/tests/is_json"
    done
    "$invar" inspect dae-table --threads 1 >/dev/null
    grep -q '"loss/vime/mask"' vime-table/metrics.jsonl
    "$invar" recipes show dae-table --resolved | grep -q "output: -1"
}

@test "a new file is embedded by the columns of the run: any order, no label, rows as they stand" {
    pretrain dae-table --run run
    cut -d, -f1-3 my.csv | awk -F, '{ print $3 "," $1 "," $2 }' >new.csv
    "$invar" embed run csv:my.csv -o whole.npy --threads 1
    "$invar" embed run csv:new.csv -o rows.npy --threads 1
    cmp whole.npy rows.npy
    sed 's/^colour/shade/' new.csv >other.csv
    fails_with 1 "$invar" embed run csv:other.csv -o no.npy --threads 1
    says '"colour"' '"shade"'
    fails_with 1 "$invar" probe run --data audio:clips
    says table audio:clips audio
    [ ! -e no.npy ]
}

@test "20,000 columns are read, trained on and embedded" {
    awk 'BEGIN {
        for (c = 0; c < 20000; c++) printf "g%d,", c
        print "y"
        for (r = 0; r < 40; r++) {
            for (c = 0; c < 20000; c++) printf "%d,", (r * (1 + c % 97) + c * 13) % 101
            print r % 2 ? "a" : "b"
        }
    }' >wide.csv
    run --separate-stderr "$invar" data csv:wide.csv label=y
    [ "$status" -eq 0 ]
    grep -q "^columns    20000, as 20000 numbers a row" <<<"$output"
    "$invar" pretrain scarf-table training.precision=float32 --threads 1 data.source=csv:wide.csv data.label=y training.steps=2 training.batch=16 \
        'encoder.widths=[8]' 'projector.hidden=[8]' --run run
    "$invar" embed run csv:wide.csv -o rows.npy --threads 1
    [ -s rows.npy ]
}

@test "classes and categories that differ in capitals alone are told" {
    {
        echo "height,sex,animal"
        for i in $(seq 1 20); do
            printf '%d.5,male,cat\n%d.5,Male,Cat\n%d.5,female,DÉJÀ\n%d.5,female,déjà\n' "$i" "$i" "$i" "$i"
        done
    } >typed.csv
    run --separate-stderr "$invar" data csv:typed.csv label=animal
    [ "$status" -eq 0 ]
    grep -q 'problem    classes "Cat" and "cat" differ in capitals alone, and are two (2 such pairs)$' <<<"$output"
    grep -q 'problem    categories "Male" and "male" of column sex differ in capitals alone, and are two$' <<<"$output"
}

@test "a label that is a number, and cells as people write them: told, trained on, read again the same" {
    {
        echo "# exported on Monday"
        echo "day,share,price,id"
        for i in $(seq 1 60); do
            printf '2024-0%d-%02d,%d.5%%,"$1,%03d.25",n%d\n' $((i / 28 + 1)) $((i % 28 + 1)) $((i * 7 % 50)) $((i * 13 % 1000)) "$i"
        done
    } >money.csv
    run --separate-stderr "$invar" data csv:money.csv label=price
    [ "$status" -eq 0 ]
    grep -q "^label      price: a number (60 different numbers in 60 labelled rows, read as numbers such as \$1,234.5)" <<<"$output"
    grep -q "day .*read as dates, in days since 1970-01-01" <<<"$output"
    grep -q "share .*read as numbers such as 1,234.5%" <<<"$output"
    grep -q "^problem .*another text in nearly every row, which teaches nothing: ignore=id leaves it out" <<<"$output"
    grep -q '"label_kind":[[:space:]]*"number"' <<<"$("$invar" data csv:money.csv label=price --json)"
    run "$invar" data csv:money.csv label=price label_kind=class
    grep -q "^label      price: classes (data.label_kind says so)" <<<"$output"
    fails_with 1 "$invar" data csv:money.csv label=id label_kind=number
    says 'line 3: "n1" in the label column "id" is no number'

    "$invar" pretrain simclr-table training.precision=float32 --threads 1 data.source=csv:money.csv data.label=price data.ignore=id training.steps=2 \
        training.batch=16 'encoder.widths=[8]' 'projector.hidden=[8]' --run run
    "$invar" embed run csv:money.csv -o whole.npy --threads 1
    cut -d, -f1,2 money.csv | sed 's/2024-\(..\)-\(..\)/2024-\1-\2T00:00Z/' >plain.csv
    "$invar" embed run csv:plain.csv -o rows.npy --threads 1
    cmp whole.npy rows.npy
    sed -i '3s/%//' plain.csv
    fails_with 1 "$invar" embed run csv:plain.csv -o no.npy --threads 1
    says 'column "share"'
}

@test "row numbers, classes called NULL and numbers that training never missed are told" {
    for i in $(seq 1 60); do
        printf '%d,%d.5,%d,%s\n' $((i + 999)) $((i * 7 % 50)) $((i % 9)) "$([ $((i % 3)) = 0 ] && echo NULL || echo $((i % 3)))"
    done >rows
    { echo id,x,z,y && cat rows; } >told.csv
    run --separate-stderr "$invar" data csv:told.csv label=y
    [ "$status" -eq 0 ]
    says 'column "id" counts the rows from 1000 to 1059' data.ignore=id
    says 'the label "y" takes "NULL" for classes' data.missing
    [ "$(grep -c warning <<<"$stderr")" -eq 2 ]
    { echo id,x,z,y && sort -t, -k2 rows | sed 's/NULL/none/'; } >quiet.csv
    for way in "csv:quiet.csv label=y" "csv:told.csv label=y missing=NULL numeric=id" "csv:told.csv label=y missing=NULL ignore=id"; do
        run --separate-stderr "$invar" data $way
        [ "$status" -eq 0 ] && [ -z "$stderr" ]
    done

    { cat quiet.csv && printf ',,,\n, ,"",\n,,,p\n'; } >sheet.csv
    run --separate-stderr "$invar" data csv:sheet.csv label=y
    [ "$status" -eq 0 ]
    says "sheet.csv, line 62: 2 rows have no value in any column"

    "$invar" pretrain simclr-table training.precision=float32 --threads 1 data.source=csv:quiet.csv data.label=y training.steps=2 \
        training.batch=16 'encoder.widths=[8]' 'projector.hidden=[8]' --run run
    sed '3s/,[0-9.]*,/,,/; 5s/,[0-9.]*,/,?,/' quiet.csv >holes.csv
    run --separate-stderr "$invar" embed run csv:holes.csv -o holes.npy --threads 1
    says "holes.csv: 2 cells have no value" '"x" (2)' "mean of the training rows"
    run --separate-stderr "$invar" data csv:quiet.csv label=y test=holes.csv
    says "holes.csv: 2 cells have no value" '"x" (2)'
    run --separate-stderr "$invar" data csv:holes.csv label=y test=holes.csv
    [ "$status" -eq 0 ] && [ -z "$stderr" ]
    run --separate-stderr "$invar" embed run csv:quiet.csv -o rows.npy --threads 1
    [ "$status" -eq 0 ] && [ -z "$stderr" ]
}

@test "a resumed run of VIME ends in the same bits" {
    pretrain vime-table training.checkpoint_interval=6 --run whole
    cp -r whole half
    rm half/encoder.safetensors half/projector.safetensors half/checkpoint-*12.safetensors
    pretrain vime-table training.checkpoint_interval=6 --run half --resume
    cmp whole/encoder.safetensors half/encoder.safetensors
}

@test "what does not fit a table or a term is refused" {
    fails_with 2 pretrain vime-table 'views.corrupt=[0]' --run no
    says vime views.corrupt
    fails_with 2 pretrain dae-table projector.output=8 --run no
    says denoising projector.output=-1
    fails_with 2 pretrain scarf-table projector.output=-1 --run no
    says projector.output
    fails_with 2 pretrain scarf-table views.local=2 views.local_size=1 --run no
    says views.local
}

@test "probe another column, and without a value of one" {
    pretrain dae-table --run run
    run --separate-stderr "$invar" probe run --label colour --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"3 classes"*"linear:colour"* ]]
    [[ "$stderr" == *'"colour" is part of what the encoder sees'* ]]
    run --separate-stderr "$invar" probe run --hold-out colour=red --baseline supervised --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"and 54 test samples"*"linear-colour=red"*"supervised-colour=red"* ]]
    fails_with 2 "$invar" probe run --label size
    says label size colour class
}

@test "a label that training took for a number is probed as classes, and the other way round" {
    for i in $(seq 120); do echo "$((i * 13 % 17)),$((i * 7 % 31)),$((i % 12)).5"; done | sed '1i a,b,y' >my.csv
    local pretrain=("$invar" pretrain simclr-table data.source=csv:my.csv data.label=y training.steps=2 training.batch=16
        'encoder.widths=[8]' 'projector.hidden=[8]' --threads 1)
    "${pretrain[@]}" --run number
    grep -q " R2 " <<<"$("$invar" probe number --threads 1 2>/dev/null)"
    run --separate-stderr "$invar" probe number data.label_kind=class l2=0.01 --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"12 classes"* && "$stderr" != *"had not"* ]]
    run --separate-stderr "$invar" probe number data.label_kind=class l2=0.01 --test csv:my.csv --threads 1
    [ "$status" -eq 0 ]
    [[ "$output" == *"10.5 -> 10.5"* ]]
    "${pretrain[@]}" --run class data.label_kind=class
    grep -q " R2 " <<<"$("$invar" probe class data.label_kind=number --threads 1 2>/dev/null)"
}

# spoilt MARKER SHARE: 300 rows, of whose ages so many percent are the marker
spoilt() {
    awk -v marker="$1" -v share="$2" 'BEGIN {
        print "age,stars,y"
        for (i = 0; i < 300; i++)
            print (i * 37 % 100 < share ? marker : (i * 7919 % 9973) / 10) "," (i % 3 == 2 ? "3+" : i % 3) "," (i % 2 ? "p" : "q")
    }'
}

@test "numbers but for one text are told, however often it is there" {
    local marker share
    for marker in NULL '\N' None . none; do
        for share in 2 20 40 70; do
            echo "$marker in $share %"
            spoilt "${marker//\\/\\\\}" $share >spoilt.csv
            run --separate-stderr "$invar" data csv:spoilt.csv label=y
            [ "$status" -eq 0 ]
            [[ "$stderr" == *"column \"age\" is taken for categories because of \"$marker\" in line 2"* ]]
            [[ "$stderr" != *'"stars"'* ]]
            grep -q "^problem .*1 column is numbers but for a few texts, and taken for categories: age" <<<"$output"
            run --separate-stderr "$invar" data csv:spoilt.csv label=y "missing=$marker"
            [[ "$output" == *"age "*numeric* && "$output" != *"few texts"* && "$stderr" != *'"age"'* ]]
        done
    done
    spoilt nothing 30 | awk -F, -v OFS=, 'NR > 1 { $1 = "town " $1 } 1' >text.csv
    run --separate-stderr "$invar" data csv:text.csv label=y categorical=stars
    [[ "$stderr" != *"because of"* && "$output" != *"few texts"* ]]
}

# numbers FORMAT..: 60 rows by an awk program that prints one
numbers() {
    awk "BEGIN { for (i = 0; i < 60; i++) { $1 } }"
}

# column NAME: its line of what data says
column() {
    grep -E "^  $1 " <<<"$output"
}

@test "points and commas between thousands, as the column or the file says" {
    # thousands with points beside decimal commas, below a thousand without any
    numbers 'n = i * 7919 % 99991; print (i % 50) "," i % 9 + 1 ";" (n < 1000 ? n : int(n / 1000) "." sprintf("%03d", n % 1000)) ";" n ";" (i % 2 ? "p" : "q")' |
        sed '1i preis;einwohner;soll;y' >eu.csv
    run --separate-stderr "$invar" data csv:eu.csv label=y
    [ "$status" -eq 0 ]
    [[ "$(column einwohner)" == *"read as numbers such as 1.234,5"* && "$(column preis)" != *"read as"* ]]
    [ "$(column einwohner | grep -o 'mean [0-9.]*')" = "$(column soll | grep -o 'mean [0-9.]*')" ]
    run --separate-stderr "$invar" data csv:eu.csv label=einwohner
    grep -q "read as numbers such as 1.234,5" <<<"$output"
    # whatever texts have
    sed '1s/^/version;/; 2,$s/^/v1.25;/' eu.csv >version.csv
    run --separate-stderr "$invar" data csv:version.csv label=y
    [[ "$(column einwohner)" == *"read as numbers such as 1.234,5"* ]]
    awk -v OFS='\t' 'BEGIN { print "code", "x", "y" }
        { printf "K%d,%d\t%d.%03d\t%s\n", NR, NR % 90 + 10, NR % 9 + 1, NR * 37 % 1000, NR % 2 ? "p" : "q" }' <(seq 60) >codes.tsv
    run --separate-stderr "$invar" data csv:codes.tsv label=y
    [[ "$(column x)" == *numeric*"mean 5."* ]]
    # in one column
    printf 'a;y\n1.200;p\n950;q\n12,5;p\n3.000;q\n' >mixed.csv
    run --separate-stderr "$invar" data csv:mixed.csv label=y test_fraction=0
    [[ "$(column a)" == *"mean 1290.6"* ]]
    # commas between thousands where decimals have points, and quoted in a file of commas
    printf 'a;b;y\n1,200;0.5;p\n950;1.5;q\n25,074;2.5;p\n3,000;1.25;q\n' >us.csv
    run --separate-stderr "$invar" data csv:us.csv label=y test_fraction=0
    [[ "$(column a)" == *"mean 7556"* && "$(column b)" == *"mean 1.4375"* ]]
    printf 'a,b,y\n1.200,"0,5",p\n950,"1,5",q\n25.074,"2,5",p\n3.000,"1,25",q\n' >quoted.csv
    run --separate-stderr "$invar" data csv:quoted.csv label=y test_fraction=0
    [[ "$(column a)" == *"mean 7556"* && "$(column b)" == *"mean 1.4375"* ]]
    # decimals of three digits
    printf 'a;b;y\n1.200;0.5;p\n9.5;1.5;q\n25.074;2.500;p\n3.000;1.25;q\n' >three.csv
    run --separate-stderr "$invar" data csv:three.csv label=y test_fraction=0
    [[ "$(column a)" == *"mean 9.6935"* && "$stderr" != *three* ]]
    printf 'a,b,y\n1.200,2,p\n9.500,1,q\n25.074,2,p\n3.000,1,q\n' >three.csv
    run --separate-stderr "$invar" data csv:three.csv label=y test_fraction=0
    [[ "$(column a)" == *"mean 9.6935"* && "$stderr" != *three* ]]
    # nothing says it
    printf 'a;y\n1.200;p\n950;q\n25.074;p\n3.000;q\n' >unclear.csv
    run --separate-stderr "$invar" data csv:unclear.csv label=y test_fraction=0
    [[ "$stderr" == *'column "a" are three digits, which are read as decimals'* ]]
    printf 'a;y\n1.25;p\n950,5;q\n25.074;p\n3.5;q\n' >both.csv
    run --separate-stderr "$invar" data csv:both.csv label=y test_fraction=0
    [[ "$stderr" == *'column "a" has numbers with decimal points and such with decimal commas'* ]]
}

@test "thousands of a file that is embedded are read as such, or told" {
    numbers 'print (i * 7919 % 99991 + 1000) "," i % 9 ".5," (i % 2 ? "p" : "q")' | sed '1i a,b,y' >my.csv
    pretrain simclr-table data.label=y --run run
    "$invar" embed run csv:my.csv -o plain.npy --threads 1
    awk -F, 'NR == 1 { print "a;b;y"; next }
        { print int($1 / 1000) "." sprintf("%03d", $1 % 1000) ";" int($2) ",5;" $3 }' my.csv >eu.csv
    run --separate-stderr "$invar" embed run csv:eu.csv -o eu.npy --threads 1
    cmp plain.npy eu.npy
    # and the other way round, where the same mark is before decimals
    numbers 'print i % 9 + 1 "." sprintf("%03d", i * 37 % 1000) "," i % 90 + 10 ";" (i % 2 ? "p" : "q")' | sed '1i a;y' >my.csv
    pretrain simclr-table data.label=y --run european
    printf 'a;y\n1.5;p\n2.25;q\n1.234;p\n9.875;q\n' >points.csv
    tr . , <points.csv >commas.csv
    "$invar" embed european csv:points.csv -o points.npy --threads 1
    "$invar" embed european csv:commas.csv -o commas.npy --threads 1
    cmp points.npy commas.npy
    sed 's/;.,5;/;1;/; 2,$s/\./,/' eu.csv >unclear.csv
    run --separate-stderr "$invar" embed run csv:unclear.csv -o unclear.npy --threads 1
    [[ "$stderr" == *'unclear.csv: behind every point or comma of column "a" are three digits'* ]]
    ! [[ "$stderr" == *'column "b"'* ]]
}

@test "a run without a header reads a single row, and one that looks like names" {
    for i in $(seq 60); do echo "n$((i % 3)),c$((i * 7 % 5))"; done >my.csv
    "$invar" pretrain simclr-table data.source=csv:my.csv training.steps=2 training.batch=16 'encoder.widths=[8]' \
        'projector.hidden=[8]' --threads 1 --run run
    "$invar" embed run csv:my.csv -o whole.npy --threads 1
    local rows
    for rows in 1 2; do
        head -n $rows my.csv >few.csv
        "$invar" embed run csv:few.csv -o few.npy --threads 1
        cmp <(tail -c +129 few.npy) <(tail -c +129 whole.npy | head -c $((rows * 8 * 4)))
    done
    sed '1i c2,c1' my.csv | awk -F, -v OFS=, 'NR > 1 { t = $1; $1 = $2; $2 = t } 1' >named.csv
    "$invar" embed run csv:named.csv -o named.npy --threads 1
    cmp whole.npy named.npy
    "$invar" data csv:my.csv "test=few.csv" | grep -q "60 train, 2 test"
}

@test "large whole numbers that differ are a column, those that a double cannot tell apart are told" {
    {
        echo "stamp,power,long,noise,y"
        for i in $(seq 0 59); do
            echo "$((1700000000000000 + 10 * i)),$((9007199254740992 + 2 * i)),1000000000000000000000000000$((100 + i)),0.3$([ $((i % 2)) = 0 ] || echo 0000000000000004),$([ $((i % 2)) = 0 ] && echo p || echo q)"
        done
    } >my.csv
    run --separate-stderr "$invar" data csv:my.csv label=y test_fraction=0
    [ "$status" -eq 0 ]
    [[ "$(column stamp)" == *numeric*"deviation 173.181"* && "$(column power)" == *numeric*"deviation 34.6362"* ]]
    [[ "$stderr" == *'"long" differs in digits alone that numbers do not keep'* && "$stderr" != *stamp* ]]
    [[ "$(column noise)" == *"left out"* && "$stderr" == *'"noise" differs by less than 1e-12 of its size'* ]]
}
