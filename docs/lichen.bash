# bash completion for lichen(1)
_lichen_models() {
    local folder=${XDG_DATA_HOME:-$HOME/.local/share}/lichen/models
    compgen -W "$(cd "$folder" 2>/dev/null && printf '%s\n' *.gguf)" -- "$1"
    compgen -o plusdirs -f -X '!*.gguf' -- "$1"
}

_lichen() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    local commands='chat run bench loss convert calibrate verify devices info plan logits tokenize template help'
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --version --help" -- "$word")
        return
    fi
    case $before in
    help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
    --kv) mapfile -t COMPREPLY < <(compgen -W 'f16 f32 q8_0' -- "$word") ;;
    --proof) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word") ;;
    --gptq-zero-wrap) mapfile -t COMPREPLY < <(compgen -W '16 0' -- "$word") ;;
    --protocol) mapfile -t COMPREPLY < <(compgen -W 'llama hf strided' -- "$word") ;;
    --activations) mapfile -t COMPREPLY < <(compgen -W '16 8 float' -- "$word") ;;
    --gpu-layers) mapfile -t COMPREPLY < <(compgen -W 'auto all' -- "$word") ;;
    --device) mapfile -t COMPREPLY < <(compgen -W 'cpu 0 1' -- "$word") ;;
    -m | --model) mapfile -t COMPREPLY < <(_lichen_models "$word") ;;
    --shape) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" bench --help 2>/dev/null |
        sed -n 's/^Shapes://p')" -- "$word") ;;
    -t | --type) if [ "$command" = convert ]; then
        mapfile -t COMPREPLY < <(compgen -W 'f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_s q4_k_m
            q5_k_s q5_k_m q6_k iq4_nl iq4_xs' -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" bench --help 2>/dev/null |
        sed -n 's/^Types://p')" -- "$word") ;;
    -f | --file | -o | --output | --compare | --history | --png | --text | --csv | --markdown | --calibration | --save-logits | --base-logits | --report | --imatrix | --dev-text)
        mapfile -t COMPREPLY < <(compgen -o plusdirs -f -- "$word") ;;
    *)
        if [ "${word#-}" != "$word" ]; then # the program itself knows its options
            mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null |
                grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$word")
        elif [ "$command" = convert ]; then
            mapfile -t COMPREPLY < <(compgen -o plusdirs -f -- "$word")
        else
            mapfile -t COMPREPLY < <(_lichen_models "$word")
        fi ;;
    esac
}
complete -o filenames -F _lichen lichen
