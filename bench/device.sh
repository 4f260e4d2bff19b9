#!/bin/bash
# device.sh: tests and speed on a machine with a graphics card where nothing can be built or fetched.
#
#   bench/device.sh pack FOLDER [PEER]   here: binaries of build/, their libraries, golden data and
#                                        the peer (npm @node-llama-cpp/linux-x64-vulkan) in FOLDER
#   FOLDER/device.sh run RESULTS         there: shader tests, then kernels, then beside the peer
#
# A test whose log names a missing file or layer says nothing about the card. Takes two minutes.
set -eu

tests="gpu/test_gpu shaders/test_kernels shaders/test_matmul graph/test_gpu_stories
graph/test_gpu_plans graph/test_gpu_families engine/test_engine"
shapes="smollm2-135m 0.5b 1.5b 8b"

pack()
{
    local root=$PWD folder=$1 peer=${2:-}
    mkdir -p "$folder/bin" "$folder/lib" "$folder/layer" "$folder/peer" "$folder/shared"
    for program in lichen lichen-peer bench/write-shape; do
        strip -o "$folder/bin/${program##*/}" "build/$program"
    done
    for test in $tests; do
        strip -o "$folder/bin/${test##*/}" "build/tests/$test"
    done
    ldd build/lichen build/tests/gpu/test_gpu | awk '/=> \//{print $3}' | sort -u |
        grep -v -E '/(libc|libm|libcrypto)\.so' | xargs -I{} cp -L {} "$folder/lib/"
    cp -L /usr/lib/x86_64-linux-gnu/libvulkan.so.1 "$folder/lib/"
    cp /usr/lib/x86_64-linux-gnu/libVkLayer_khronos_validation.so "$folder/layer/"
    sed 's#"library_path": *"[^"]*"#"library_path": "./libVkLayer_khronos_validation.so"#' \
        /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json \
        >"$folder/layer/VkLayer_khronos_validation.json"
    cp -r ../shared/golden "$folder/shared/"
    [ -z "$peer" ] || find "$peer" -name '*.so' ! -name 'libggml-cpu-*' ! -name '*common*' \
        -exec cp {} "$folder/peer/" \;
    [ -z "$peer" ] || find "$peer" -name 'libggml-cpu-haswell.so' -exec cp {} "$folder/peer/" \;
    cp "$root/bench/device.sh" "$folder/"
    echo "$root" >"$folder/root" # where the tests look for their files
}

speed()
{
    for shape in $shapes; do
        ./lichen bench --shape "$shape" -r 3 --no-start --kernels --json >"$results/$shape.json" || true
        ls "$folder"/peer/libllama* >/dev/null 2>&1 || continue
        ./write-shape "$shape" q4_k_m "$results/shape.gguf"
        ./lichen bench "$results/shape.gguf" -r 3 -d 0 --no-start --peer "$folder/peer" --json \
            >"$results/peer-$shape.json" || true
        grep -E '"(test|ratio|median)"' "$results/peer-$shape.json" || true
    done
    rm -f "$results/shape.gguf"
}

run()
{
    folder=$(cd "$(dirname "$0")" && pwd)
    mkdir -p "$1"
    results=$(cd "$1" && pwd)
    local root
    root=$(cat "$folder/root")
    # The tests write beside their build and read ../shared.
    [ -e "$root" ] || ln -s "$PWD" "$root" 2>/dev/null || { mkdir -p "${root%/*}"; ln -s "$PWD" "$root"; }
    [ -e "${root%/*}/shared" ] || ln -s "$folder/shared" "${root%/*}/shared"
    mkdir -p "$root"/build/tests/{gpu,graph,engine,shaders}
    export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} VK_LAYER_PATH=$folder/layer
    cd "$folder/bin"
    ./lichen devices | tee "$results/devices.txt"
    for test in $tests; do
        name=${test##*/}
        timeout 60 "./$name" >"$results/$name.log" 2>&1 && state=passed || state="failed ($?)"
        echo "$name: $state"
    done
    speed
}

case ${1:-} in
pack) pack "${@:2}" ;;
run) run "${2:?where results go}" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
