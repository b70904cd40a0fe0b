"""`furrow completion`: what makes a shell complete furrow's words."""

from __future__ import annotations

import click

from furrow.cli.terminal import say_block

_HOW = {
    "bash": 'eval "$(furrow completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(furrow completion zsh)"   # in ~/.zshrc, behind compinit',
    "fish": "furrow completion fish | source   # in ~/.config/fish/config.fish",
}


@click.command(epilog="\n\n".join(["\b", *_HOW.values()]))
@click.argument("shell", type=click.Choice(list(_HOW)))
def command(shell: str) -> None:
    """Print a script that completes commands and options in bash, zsh or fish."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - after --help

    from furrow.cli.group import cli  # noqa: PLC0415 - it loads this module

    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(cli, {}, "furrow", "_FURROW_COMPLETE")
    say_block(f"# {_HOW[shell]}\n{made.source_template % made.source_vars()}\n")
