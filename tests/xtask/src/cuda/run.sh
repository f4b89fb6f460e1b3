#!/usr/bin/env bash
# Runs what `cargo xtask cuda` has built, on a machine with a CUDA device (driver, cuBLAS and nvrtc of
# CUDA 13). usage: run.sh [FOLDER OF RESULTS]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
results=${1:-results}
mkdir -p "$results"

# Programs look for data where they were built, and dfdx for headers if it compiles kernels of its own.
mkdir -p "@HEADERS@" "@CUDA@" "@ROOT@"
cp headers/* "@HEADERS@/"
cp -rn data/. "@ROOT@/"
find_first() { find / -name "$1" -not -path '/proc/*' 2>/dev/null | head -1; }
[ -e "@CUDA@/include/cuda_fp16.h" ] || ln -sfn "$(dirname "$(find_first cuda_fp16.h)")" "@CUDA@/include"
for library in libcublas.so.13 libnvrtc.so.13 libcurand.so.10; do
    found=$(find_first "$library")
    [ -n "$found" ] && LD_LIBRARY_PATH="$(dirname "$found"):${LD_LIBRARY_PATH:-}"
done
export LD_LIBRARY_PATH

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | tee "$results/device.txt"
failed=0
for program in programs/trainbook*; do
    name=$(basename "$program")
    if timeout 120 "$program" --test-threads 1 > "$results/$name.txt" 2>&1; then
        echo "$name: $(grep '^test result' "$results/$name.txt")"
    else
        echo "$name: FAILED, see $results/$name.txt"
        failed=1
    fi
done
models="mlp norm-mlp digits-cnn mnist-cnn series-cnn transformer"
for precision in "" mixed; do
    # shellcheck disable=SC2086
    for model in $models; do echo "$model 300"; done |
        programs/measure_step cuda:0 $precision | tail -n +2 |
        paste <(tr ' ' '\n' <<< "$models") - | sed "s/$/ ms a step, ${precision:-f32}/"
done | tee "$results/steps.txt"
exit $failed
