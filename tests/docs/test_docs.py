"""What the documentation says can be done, can be done."""

from __future__ import annotations

import http.server
import re
import shlex
import threading
from pathlib import Path

import click
import pytest

import docdask
from docdask.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
#: Commands, in code spans and in blocks, up to a comment.
COMMAND = re.compile(r"(?:^    |`)docdask ([a-z][^`#\n]*)", re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    return sorted(
        {
            (page.name, match.group(1).strip().rstrip(".,;:"))
            for page in PAGES
            for match in COMMAND.finditer(page.read_text(encoding="utf-8"))
        }
    )


def parsed(line: str) -> tuple[click.Command, list[str]]:
    """The command that a line gives, and the words after its name; ``cli`` itself if there is none."""
    words = shlex.split(line)
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
    return command, words


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if path == ROOT / "docs" / "benchmarks.md" and not path.exists():
            pytest.skip("the benchmarks write this page")
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{page.name}: {target}"


def test_there_are_commands_to_check():
    assert len(commands()) > 15


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_exist_with_their_options(page, line):
    command, words = parsed(line.replace("…", " "))
    assert command is not cli, f"{page}: docdask {line}"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    for word in words:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in known, f"{page}: docdask {line}"


#: A command as it is typed: no alternatives, no options in brackets, nothing left out.
TYPED = re.compile(r"^    docdask ([a-z][^`#\n\[…]*?)\s*(?:#.*)?$", re.MULTILINE)


def typed() -> list[tuple[str, str]]:
    """Commands that stand on a line of their own and can be given as they are."""
    return sorted(
        {(page.name, line) for page in PAGES for line in TYPED.findall(page.read_text(encoding="utf-8"))}
    )


@pytest.mark.parametrize(("page", "line"), typed())
def test_commands_can_be_given_as_they_stand(page, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    command, words = parsed(line)
    assert command is not cli
    command.make_context("docdask", words)  # says what is missing, too much, or of the wrong kind


def test_each_command_line_is_among_them():
    assert ("README.md", "plan invoices/ --to runs/june") in typed()
    assert len(typed()) > 30


def test_every_page_can_be_reached_from_the_first():
    pages, seen = {ROOT / "README.md"}, set()
    while pages - seen:
        page = (pages - seen).pop()
        seen.add(page)
        targets = [target.partition("#")[0] for target in LINK.findall(page.read_text(encoding="utf-8"))]
        pages |= {(page.parent / t).resolve() for t in targets if t.endswith(".md") and "://" not in t}
    assert {page for page in PAGES if page.parent.name != "adr"} <= seen


def test_every_command_and_option_is_documented():
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in cli.list_commands(click.Context(cli)):
        assert f"`docdask {name}" in text, name


def test_the_verbs_are_functions_too():
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"`docdask\.([a-z_]+)[(`]", text)):
        assert name == "toml" or callable(getattr(docdask, name)), name


class _Service(http.server.BaseHTTPRequestHandler):
    """Answers with the number of bytes it got, or with nothing for one document."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        text = b"" if b"broken" in content else f"{len(content)} bytes came\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_engine_of_the_page_on_extending_works(service, pile, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mymodule_of_docs.py").write_text(blocks[0], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = docdask.run(
        pile,
        to=tmp_path / "run",
        engine="mymodule_of_docs:HttpTextEngine",
        options={"url": service},
        cluster="none",
    )
    assert result.summary()["stored"] == 21
    assert set(result.calls["engine"]) == {"http-text/1"}
    sizes = {path.stat().st_size for path in pile.glob("letter*.pdf")}
    assert {int(document.text.split()[0]) for _, document in result.documents_iter()} == sizes


def test_the_other_example_of_that_page_works(pile, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    result = docdask.run(
        pile, to=tmp_path / "runs" / "june", engine="docdask.service.dummy:NothingEngine", cluster="none"
    )
    names: dict[str, object] = {}
    exec(compile(example, "extending.md", "exec"), names)
    originals = result.documents.query("outcome == 'stored' and duplicate_of.isna()")
    assert set(names["words"]["document_id"]) == set(originals["document_id"])
