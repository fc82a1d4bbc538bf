"""Talks with whoever runs the command: tells on stderr, asks on stdin.

Rules: ``--yes`` answers every question of yes or no; a question that nobody answers is an error that names the option.
"""

from __future__ import annotations

import sys

import click

from docdask.errors import UsageError


class Talk:
    """A conversation.

    Parameters
    ----------
    yes
        Everything is agreed to.
    """

    def __init__(self, *, yes: bool = False) -> None:
        self.yes = yes

    def tell(self, text: str) -> None:
        """Say something on the way."""
        click.echo(text, err=True)

    def agrees(self, question: str, *, default: bool = True) -> bool:
        """Whether the answer is yes.

        Raises
        ------
        UsageError
            If nobody answers.
        """
        if self.yes:
            return True
        answer = self._answer(f"{question} [{'Y/n' if default else 'y/N'}]", "--yes").lower()
        return answer.startswith("y") if answer else default

    def ask(self, question: str, option: str) -> str:
        """Answer to a question; empty if just Enter was pressed.

        Parameters
        ----------
        question
            As it is shown.
        option
            That answers it on the command line.

        Raises
        ------
        UsageError
            If nobody answers.
        """
        if self.yes:
            return ""
        return self._answer(question, option)

    def _answer(self, question: str, option: str) -> str:
        click.echo(f"{question} ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            click.echo(err=True)
            raise UsageError(f"nobody answered: {question.strip()}", f"answer it with {option}")
        if not sys.stdin.isatty():  # a terminal shows it by itself
            click.echo(line.strip(), err=True)
        return line.strip()
