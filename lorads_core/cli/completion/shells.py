r"""Completion scripts for bash, zsh, fish and PowerShell: tables of commands and options, and the lines that read them.

A value is written as ``kind:words``: ``words:a\nb``, ``files:``, ``list:libraries``, ``text:``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from . import Command, Option, Values

_LIST = "lorads completion --list"


def _spec(values: Values) -> str:
    return f"{values.kind}:" + "\n".join(values.words)


def _single(text: str) -> str:
    r"""Quote text for bash and zsh, in which a line end is ``\n``."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{escaped}'"


def _valued(command: Command) -> Iterator[tuple[Option, Values]]:
    for option in command.options:
        if option.values:
            yield option, option.values


# bash

_BASH = """\
# bash completion of lorads; made by `lorads completion bash`
_lorads() {
    local IFS=$'\\n' current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    local options="" arguments="text:" values=""
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=($(compgen -W @COMMANDS@ -- "$current"))
        return
    fi
    case "${COMP_WORDS[1]}" in
@CASES@
    esac
    if [[ -z $values && $current == -* ]]; then
        values="words:$options"
    fi
    values="${values:-$arguments}"
    case "$values" in
        words:*) COMPREPLY=($(compgen -W "${values#words:}" -- "$current")) ;;
        list:*) COMPREPLY=($(compgen -W "$(@LIST@ "${values#list:}" 2>/dev/null)" -- "$current")) ;;
        files:*) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")) ;;
    esac
}
complete -F _lorads lorads
"""


def _bash(commands: Sequence[Command]) -> str:
    names = _single("\n".join(each.name for each in commands))
    script = _BASH.replace("@LIST@", _LIST).replace("@COMMANDS@", names)
    return script.replace("@CASES@", "\n".join(line for each in commands for line in _bash_case(each)))


def _bash_case(command: Command) -> Iterator[str]:
    names = "\n".join(name for option in command.options for name in option.names)
    yield f"        {command.name})"
    yield f"            options={_single(names)}"
    yield f"            arguments={_single(_spec(command.arguments))}"
    yield from _value_cases(command)
    yield "            ;;"


def _value_cases(command: Command) -> Iterator[str]:
    yield '            case "$before" in'
    for option, values in _valued(command):
        yield f"                {'|'.join(option.names)}) values={_single(_spec(values))} ;;"
    yield "            esac"


# zsh

_ZSH = """\
#compdef lorads
# zsh completion of lorads; made by `lorads completion zsh`
_lorads() {
    local before="${words[CURRENT-1]}" values="" arguments="text:"
    local -a items options
    if (( CURRENT == 2 )); then
        items=(
@COMMANDS@
        )
        _describe command items
        return
    fi
    case "${words[2]}" in
@CASES@
    esac
    if [[ -z $values && ${words[CURRENT]} == -* ]]; then
        _describe option options
        return
    fi
    values="${values:-$arguments}"
    case "$values" in
        words:*) items=("${(@f)${values#words:}}"); compadd -a items ;;
        list:*) items=("${(@f)$(@LIST@ ${values#list:} 2>/dev/null)}"); compadd -a items ;;
        files:*) _files ;;
    esac
}
if [[ ${funcstack[1]} == _lorads ]]; then
    _lorads "$@"
else
    compdef _lorads lorads
fi
"""


def _zsh(commands: Sequence[Command]) -> str:
    described = "\n".join(f"            {_described(each.name, each.help)}" for each in commands)
    cases = "\n".join(line for each in commands for line in _zsh_case(each))
    return _ZSH.replace("@LIST@", _LIST).replace("@COMMANDS@", described).replace("@CASES@", cases)


def _described(name: str, about: str) -> str:
    return _single(f"{name}:{about}" if about else name)


def _zsh_case(command: Command) -> Iterator[str]:
    yield f"        {command.name})"
    yield "            options=("
    for option in command.options:
        yield from (f"                {_described(name, option.help)}" for name in option.names)
    yield "            )"
    yield f"            arguments={_single(_spec(command.arguments))}"
    yield from _value_cases(command)
    yield "            ;;"


# fish


def _fish(commands: Sequence[Command]) -> str:
    lines = ["# fish completion of lorads; made by `lorads completion fish`", "complete -c lorads -f"]
    for command in commands:
        lines.append(f"complete -c lorads -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.help)}")
        of_this = f"complete -c lorads -n '__fish_seen_subcommand_from {command.name}'"
        lines += [f"{of_this} {_fish_option(option)}" for option in command.options]
        lines += [f"{of_this}{words}" for words in [_fish_values(command.arguments, is_option=False)] if words]
    return "\n".join(lines) + "\n"


def _fish_option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    values = _fish_values(option.values, is_option=True) if option.values else ""
    return f"{names}{values} -d {_fish_quoted(option.help)}"


def _fish_values(values: Values, *, is_option: bool) -> str:
    if values.kind == "files":
        return " -r -F" if is_option else " -F"
    if values.kind == "text":
        return " -x" if is_option else ""
    words = f"({_LIST} {values.words[0]} 2>/dev/null)" if values.kind == "list" else " ".join(values.words)
    return f"{' -x' if is_option else ''} -a {_fish_quoted(words)}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# PowerShell

_POWERSHELL = """\
# PowerShell completion of lorads; made by `lorads completion powershell`
Register-ArgumentCompleter -Native -CommandName lorads -ScriptBlock {
    param($word, $ast, $position)
    $about = [ordered]@{
@COMMANDS@
    }
    $options = @{
@OPTIONS@
    }
    $values = @{
@VALUES@
    }
    $typed = @($ast.CommandElements | ForEach-Object { $_.ToString() })
    $at = if ($word) { $typed.Count - 1 } else { $typed.Count }
    $found = [ordered]@{}
    if ($at -le 1) {
        $found = $about
    } else {
        $command = $typed[1]
        $value = $values["$command $($typed[$at - 1])"]
        if (-not $value -and $word -like '-*') {
            foreach ($name in $options[$command]) { $found[$name] = $name }
        } else {
            if (-not $value) { $value = $values[$command] }
            $kind, $words = "$value".Split(':', 2)
            if ($kind -eq 'list') { $words = (@LIST@ $words 2>$null) -join "`n" }
            if ($kind -eq 'list' -or $kind -eq 'words') {
                foreach ($name in "$words".Split("`n")) { if ($name) { $found[$name] = $name } }
            }
        }
    }
    foreach ($name in $found.Keys) {
        if ($name.StartsWith($word)) {
            $text = if ($name -match '[\\s'']') { "'" + $name.Replace("'", "''") + "'" } else { $name }
            [System.Management.Automation.CompletionResult]::new($text, $name, 'ParameterValue', $found[$name])
        }
    }
}
"""


def _powershell(commands: Sequence[Command]) -> str:
    about = (f"        {_power(each.name)} = {_power(each.help or each.name)}" for each in commands)
    options = (f"        {_power(each.name)} = @({_joined(each)})" for each in commands)
    values = (line for each in commands for line in _power_values(each))
    script = _POWERSHELL.replace("@LIST@", _LIST).replace("@COMMANDS@", "\n".join(about))
    return script.replace("@OPTIONS@", "\n".join(options)).replace("@VALUES@", "\n".join(values))


def _joined(command: Command) -> str:
    return ", ".join(_power(name) for option in command.options for name in option.names)


def _power_values(command: Command) -> Iterable[str]:
    yield f"        {_power(command.name)} = {_power(_spec(command.arguments))}"
    for option, values in _valued(command):
        for name in option.names:
            yield f"        {_power(f'{command.name} {name}')} = {_power(_spec(values))}"


def _power(text: str) -> str:
    """Quote text for PowerShell, in which a line end is put together from pieces."""
    pieces = [f"'{piece.replace(chr(39), chr(39) * 2)}'" for piece in text.split("\n")]
    return pieces[0] if len(pieces) == 1 else f'({", ".join(pieces)} -join "`n")'


SCRIPTS: dict[str, Callable[[Sequence[Command]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "powershell": _powershell,
}
"""The shells, and what makes the script of each."""
