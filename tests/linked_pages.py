"""Reading pages: where their links lead, and what they say."""

from html.parser import HTMLParser
from urllib.parse import unquote


class Page(HTMLParser):
    """Where a page leads, and its text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.text = [], set(), ""
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in {"href", "src"}:
                self.links.append(unquote(value))
            if name == "id":
                self.ids.add(value)

    def handle_data(self, data):
        self.text += data

    @property
    def said(self):
        return " ".join(self.text.split())


def check_links(path):
    """All links of a page are relative, and lead to a part of it or to a file beside it."""
    page = Page(path)
    assert page.links
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert not link.startswith(("/", "http", "file"))
            assert (path.parent / link).is_file(), link
    return page
