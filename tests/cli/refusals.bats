#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What docs/training.md, docs/views.md and docs/terms.md say is refused is refused, before anything is written.
bats_require_minimum_version 1.5.0

setup() {
    load common
    tiny_data
}

# refused WORDS KEY=VALUE..: by a dry run, in one sentence with these words
refused() {
    local words=$1
    shift
    fails_with 2 "$invar" pretrain tiny.yaml --dry-run "$@" || {
        echo "not refused: $*"
        return 1
    }
    says "$words"
}

@test "docs/training.md: terms, targets, heads, views, groups" {
    refused "target.enabled is false" terms.relic.target=true
    refused "no term reads the target" target.enabled=true
    refused "no term reads its output" 'predictor={output: 8}'
    refused "no term reads its output" 'predictor={output: 8}' projector.output=0 projector.hidden=[]
    refused "make them equal" target.enabled=true terms.relic.target=true 'predictor={output: 16}'
    refused "two views" views.count=1
    refused "training.batch=64 or less" training.batch=65
    refused "data.group is not set" terms.relic.groups=true
    refused "no term reads refinement groups" data.group=x
    refused "target.keep" classifier.enabled=true target.enabled=true target.keep=true terms.relic.target=true
}

@test "docs/training.md: a warm-up as long as the run, however its length is given" {
    refused "all of the 10 steps would be warm-up" training.warmup=0.96 training.steps=10
    refused "all of the 16 steps would be warm-up" training.warmup=0.97
    refused "all of the 1 step would be warm-up" training.warmup=0.5 training.steps=1
    "$invar" pretrain tiny.yaml --dry-run training.warmup=0.94 training.steps=10 >/dev/null
    "$invar" pretrain tiny.yaml --dry-run training.warmup=0.4 training.steps=1 >/dev/null
    fails_with 2 "$invar" pretrain tiny.yaml --run run training.warmup=0.97
    says "warm-up" "training.warmup=0"
    [ ! -e run ]
}

@test "docs/training.md and docs/views.md: local views, lists, corruption of what is no table" {
    refused views.local_size views.local=2
    refused "larger than the 16 x 16" views.local=2 views.local_size=32
    refused "encoder mlp cannot" views.local=2 views.local_size=8 'encoder={kind: mlp, widths: [8]}'
    refused "smaller pool" views.local=2 views.local_size=2
    refused "3 entries for 2 views" 'views.solarise=[0, 0.1, 0.2]'
    refused "columns of a table" 'views.corrupt=[0.3]'
}

@test "docs/training.md: adversaries" {
    refused "names view 2" adversary.kind=cnn 'adversary.views=[2]'
    refused "names view 0 twice" adversary.kind=cnn 'adversary.views=[0, 0]'
    refused "is empty" adversary.kind=cnn 'adversary.views=[]'
    refused "terms.reconstruction takes for the clean one" 'terms={reconstruction: {}}' adversary.kind=cnn 'adversary.views=[0]'
    refused "terms.aplr takes for the clean one" 'terms={aplr: {}}' adversary.kind=cnn 'adversary.views=[0]'
    refused "adversary could ascend" 'terms={reconstruction: {}, orthonormality: {}}' adversary.kind=cnn \
        'adversary.views=[1]' adversary.terms=orthonormality
}
