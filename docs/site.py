"""What MkDocs does not know of the pages: pictures that are drawn for the site, and links out of the folder."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DRAWN = ROOT / "build" / "figures"
CHANGELOG = ROOT / "CHANGELOG.md"

UPWARD = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")
NAMED_BY_FILE = re.compile(r"\[(?:[\w-]+/)?([\w-]+\.md)\]\(((?:[\w.-]+/)*\1)(#[^)\s]*)?\)")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what docs/figures.py has drawn, and the changelog, which lies beside the README."""
    for path in sorted(DRAWN.iterdir() if DRAWN.is_dir() else ()):
        files.append(File.generated(config, f"drawn/{path.name}", abs_src_path=str(path)))
    changes = CHANGELOG.read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "changelog.md", content=changes))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave the folder of the pages to the repository, and call pages by their titles."""
    folder = (DOCS / page.file.src_uri).parent

    def lead(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        anchor = match[2] or ""
        if target.is_relative_to(DOCS) and target.suffix != ".py":
            return match[0]
        if target == CHANGELOG:
            return f"]({'../' * len(folder.relative_to(DOCS).parts)}changelog.md{anchor})"
        return f"]({config.repo_url}/blob/main/{target.relative_to(ROOT).as_posix()}{anchor})"

    def call_by_title(match: re.Match[str]) -> str:
        text = (folder / match[2]).read_text(encoding="utf-8")
        title = TITLE.search(text)
        return match[0] if title is None else f"[{title[1]}]({match[2]}{match[3] or ''})"

    return UPWARD.sub(lead, NAMED_BY_FILE.sub(call_by_title, markdown))
