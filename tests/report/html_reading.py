"""A page as a test reads it."""

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Parses a page, and keeps what tests ask for.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        # </p>, </li> and the like are never left out in these pages.
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.attributes if tag == name]


def assert_self_contained(page: Page, text: str) -> None:
    """Nothing is loaded, every reference has its target, every figure tells what it shows."""
    assert "http:" not in text
    assert "https:" not in text
    assert "//" not in text.replace("data:image/png;base64,", "").split("</style>")[0]
    assert not page.tags("link")
    assert not page.tags("img")
    assert all("src" not in attributes for _, attributes in page.attributes)
    for _, attributes in page.attributes:
        target = attributes.get("href")
        assert target is None or target.startswith(("#", "data:image/png;base64,")), target
        if target and target.startswith("#"):
            assert target[1:] in page.ids, target
    assert len(page.ids) == len(set(page.ids))
    assert all(attributes.get("aria-label") for attributes in page.tags("svg"))
    assert page.tags("html") == [{"lang": "en"}]
    assert len(page.tags("title")) >= 1
    assert len(page.scripts) == 1
