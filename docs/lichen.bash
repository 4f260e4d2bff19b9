# bash completion for lichen(1)
_lichen_models() {
    local folder=${XDG_DATA_HOME:-$HOME/.local/share}/lichen/models
    compgen -W "$(cd "$folder" 2>/dev/null && printf '%s\n' *.gguf)" -- "$1"
    compgen -o plusdirs -f -X '!*.gguf' -- "$1"
}

_lichen() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    local commands='chat run bench loss devices info plan logits tokenize template help'
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --version --help" -- "$word")
        return
    fi
    case $before in
    help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
    --kv) mapfile -t COMPREPLY < <(compgen -W 'f16 f32 q8_0' -- "$word") ;;
    --protocol) mapfile -t COMPREPLY < <(compgen -W 'llama hf' -- "$word") ;;
    --activations) mapfile -t COMPREPLY < <(compgen -W '16 8 float' -- "$word") ;;
    --gpu-layers) mapfile -t COMPREPLY < <(compgen -W 'auto all' -- "$word") ;;
    --device) mapfile -t COMPREPLY < <(compgen -W 'cpu 0 1' -- "$word") ;;
    -m | --model) mapfile -t COMPREPLY < <(_lichen_models "$word") ;;
    --shape) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" bench --help 2>/dev/null |
        sed -n 's/^Shapes://p')" -- "$word") ;;
    --type) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" bench --help 2>/dev/null |
        sed -n 's/^Types://p')" -- "$word") ;;
    -f | --file | -o | --output | --compare | --history | --png | --text | --csv | --markdown | --calibration | --save-logits | --base-logits)
        mapfile -t COMPREPLY < <(compgen -o plusdirs -f -- "$word") ;;
    *)
        if [ "${word#-}" != "$word" ]; then # the program itself knows its options
            mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null |
                grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$word")
        else
            mapfile -t COMPREPLY < <(_lichen_models "$word")
        fi ;;
    esac
}
complete -o filenames -F _lichen lichen
