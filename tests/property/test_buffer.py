"""Whatever is asked of a session's documents: no page is lost, doubled or out of order, in memory, on disk or told."""

from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from msgspec.structs import replace

from actors.buffer import ranks
from actors.buffer.edits import Asked, plan
from actors.buffer.model import Edit, Entry, Model, page_id_of
from schemas.buffer import (
    FIRST,
    Append,
    Copy,
    CreateDocument,
    Document,
    ListPages,
    Move,
    Remove,
    RemoveDocument,
    RenameDocument,
    Rotate,
    SetDefaultTag,
    Tag,
)
from schemas.errors import NotFound
from schemas.message import Blob
from schemas.page import TAGS, Color, Image

WORDS = st.sampled_from(["bill", "letter", "tax"])
POSITIONS = st.integers(0, 8)
UNKNOWN = "unknown"


def image(name: str) -> Image:
    blob = Blob(name=name, size=1, media_type="image/jpeg")
    return Image(blob=blob, width_px=1, height_px=1, resolution_dpi=100, color=Color.GRAY)


class Documents(RuleBasedStateMachine):
    """The model, the simplest one there is, rows as the ledger would have them, and one who only hears changes."""

    pages: Bundle[str] = Bundle("pages")
    documents: Bundle[str] = Bundle("documents")
    jobs: Bundle[tuple[str, int]] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ids = map(str, count())
        self.truth: dict[str, list[str]] = {FIRST: []}
        self.looks: dict[str, tuple[int, list[str]]] = {}
        self.default_tag = ""
        self.rows: dict[str, Entry] = {}
        self.document_rows: dict[str, Document] = {}
        self.heard: dict[str, list[str]] = {FIRST: []}
        self.revisions: dict[str, int] = {FIRST: 0}
        self.ever: set[str] = set()
        # So little room that it is used up now and then.
        self.steps = ranks.STEP, ranks.END_STEP
        ranks.STEP, ranks.END_STEP = 2, 8

    def teardown(self) -> None:
        ranks.STEP, ranks.END_STEP = self.steps

    def ask(self, msg: Asked) -> Edit:
        edit = plan(self.model, msg, lambda: next(self.ids))
        self.model.apply(edit)
        for page_id in edit.removed:
            del self.rows[page_id]
        assert edit.placed.keys() <= self.rows.keys(), "a page that was never written stands somewhere"
        for page_id, entry in edit.placed.items():
            assert entry.page == self.rows[page_id].page, "a page's row is not written though the page changed"
        self.rows |= edit.written | edit.placed
        for document_id in edit.gone:
            del self.document_rows[document_id]
        self.document_rows |= edit.documents
        for change in edit.changes:
            self.hear(change)
        return edit

    def hear(self, change: Any) -> None:
        """What a client does that never asks for the pages again."""
        known = self.heard.setdefault(change.document_id, [])
        assert change.revision == self.revisions.get(change.document_id, 0) + 1
        assert not change.whole
        assert known[change.at : change.at + len(change.before)] == change.before
        known[change.at : change.at + len(change.before)] = change.after
        self.revisions[change.document_id] = change.revision
        if change.gone:
            del self.heard[change.document_id], self.revisions[change.document_id]

    def home(self, page_id: str) -> str:
        return next(document_id for document_id, order in self.truth.items() if page_id in order)

    def take(self, page_ids: list[str]) -> None:
        for order in self.truth.values():
            order[:] = [each for each in order if each not in page_ids]

    def there(self, page_ids: list[str]) -> bool:
        return all(each in self.looks for each in page_ids)

    @initialize(target=documents)
    def begin(self) -> Any:
        return multiple(FIRST, "")

    @rule(target=pages, document=documents, after=st.none() | pages, tags=st.lists(WORDS, max_size=2))
    def append(self, document: str, after: str | None, tags: list[str]) -> str:
        msg = Append(image=image(f"i{next(self.ids)}"), document_id=document, after_page_id=after or "", tags=tags)
        return self.appended(msg, self.ask(msg).made[0])

    @rule(target=pages, job=st.sampled_from("ab"), number=st.integers(1, 5), document=documents)
    def scan(self, job: str, number: int, document: str) -> Any:
        msg = Append(image=image(f"{job}{number}"), job_id=job, number=number, document_id=document)
        page_id = page_id_of(job, number)
        known = self.model.appended(msg)
        assert (known is not None) == (page_id in self.ever), "a scanned page comes a second time, or not at all"
        if known is not None:
            assert known.page_id == page_id
            return multiple()
        edit = plan(self.model, msg, lambda: page_id)
        assert edit.made == [page_id]
        self.ask_named(msg, page_id)
        assert self.model.last_number(job) >= number
        return self.appended(msg, page_id)

    def ask_named(self, msg: Append, page_id: str) -> None:
        ids, self.ids = self.ids, iter([page_id])
        self.ask(msg)
        self.ids = ids

    def appended(self, msg: Append, page_id: str) -> str:
        document_id = msg.document_id if msg.document_id in self.truth else ""
        after = msg.after_page_id
        if after in self.looks and document_id in ("", self.home(after)):
            order = self.truth[self.home(after)]
            order.insert(order.index(after) + 1, page_id)
        else:
            self.truth[document_id or FIRST].append(page_id)
        tags = [*msg.tags, *filter(None, [self.default_tag])]
        self.looks[page_id] = (0, list(dict.fromkeys(tags)))
        self.ever.add(page_id)
        return page_id

    @rule(chosen=st.lists(pages, min_size=1, max_size=5), position=POSITIONS, document=st.just("") | documents)
    def move(self, chosen: list[str], position: int, document: str) -> None:
        msg = Move(page_ids=chosen, position=position, document_id=document)
        if not self.there(chosen) or (document and document not in self.truth):
            return self.refused(msg)
        moved = list(dict.fromkeys(chosen))
        target = document or self.home(moved[0])
        self.ask(msg)
        self.take(moved)
        self.truth[target][position:position] = moved
        return None

    @rule(target=pages, chosen=st.lists(pages, min_size=1, max_size=3), position=POSITIONS, document=documents)
    def copy(self, chosen: list[str], position: int, document: str) -> Any:
        msg = Copy(page_ids=chosen, position=position, document_id=document)
        if not self.there(chosen) or (document and document not in self.truth):
            self.refused(msg)
            return multiple()
        made = self.ask(msg).made
        self.truth[document or self.home(chosen[0])][position:position] = made
        for page_id, original in zip(made, chosen, strict=True):
            self.looks[page_id] = self.looks[original]
            shown = self.model.entry(page_id).page
            assert shown.image == self.model.entry(original).page.image
            assert not shown.job_id
        self.ever.update(made)
        return multiple(*made)

    @rule(chosen=st.lists(consumes(pages), min_size=1, max_size=3))
    def remove(self, chosen: list[str]) -> None:
        msg = Remove(page_ids=chosen)
        if not self.there(chosen):
            return self.refused(msg)
        edit = self.ask(msg)
        assert edit.removed.keys() == set(chosen)
        shown = {entry.page.image.blob.name for entry in self.model.entries.values()}
        gone = {page.image.blob.name for page in edit.removed.values()}
        assert edit.heirs.keys() == gone & shown, "an image goes that is still shown, or stays for nobody"
        assert all(self.model.entry(heir).page.image.blob.name == name for name, heir in edit.heirs.items())
        self.take(chosen)
        for page_id in set(chosen):
            del self.looks[page_id]
        return None

    @rule(chosen=st.lists(pages, min_size=1, max_size=4), degrees=st.sampled_from([0, 90, 270]))
    def rotate(self, chosen: list[str], degrees: int) -> None:
        msg = Rotate(page_ids=chosen, degrees=degrees)
        if not self.there(chosen):
            return self.refused(msg)
        touched = [each for change in self.ask(msg).changes for each in change.touched]
        assert sorted(touched) == (sorted(set(chosen)) if degrees else [])
        for page_id in set(chosen):
            turned, tags = self.looks[page_id]
            self.looks[page_id] = ((turned + degrees) % 360, tags)
        return None

    @rule(chosen=st.lists(pages, min_size=1, max_size=4), add=st.lists(WORDS), remove=st.lists(WORDS))
    def tag(self, chosen: list[str], add: list[str], remove: list[str]) -> None:
        msg = Tag(page_ids=chosen, add=add[:TAGS], remove=remove[:TAGS])
        if not self.there(chosen):
            return self.refused(msg)
        self.ask(msg)
        for page_id in set(chosen):
            turned, tags = self.looks[page_id]
            kept = [each for each in dict.fromkeys([*tags, *add]) if each not in remove]
            self.looks[page_id] = (turned, kept)
        return None

    @rule(tag=st.just("") | WORDS)
    def set_default_tag(self, tag: str) -> None:
        self.ask(SetDefaultTag(tag=tag))
        self.default_tag = tag

    @rule(target=documents, name=WORDS)
    def create_document(self, name: str) -> str:
        (document_id,) = self.ask(CreateDocument(name=name)).made
        self.truth[document_id] = []
        return document_id

    @rule(document=documents, name=WORDS)
    def rename_document(self, document: str, name: str) -> None:
        if (document or FIRST) not in self.truth:
            return self.refused(RenameDocument(document_id=document, name=name))
        self.ask(RenameDocument(document_id=document, name=name))
        assert self.model.document(document).name == name
        return None

    @rule(document=documents)
    def remove_document(self, document: str) -> None:
        if (document or FIRST) not in self.truth:
            return self.refused(RemoveDocument(document_id=document))
        self.ask(RemoveDocument(document_id=document))
        for page_id in self.truth.pop(document or FIRST):
            del self.looks[page_id]
        if not document or document == FIRST:
            self.truth = {FIRST: [], **self.truth}
        return None

    @rule(chosen=st.lists(pages, min_size=1, max_size=3), degrees=st.sampled_from([90, 180]))
    def a_commit_fails(self, chosen: list[str], degrees: int) -> None:
        if self.there(chosen):
            plan(self.model, Rotate(page_ids=chosen, degrees=degrees), lambda: next(self.ids))
            plan(self.model, Move(page_ids=chosen, position=0), lambda: next(self.ids))
            plan(self.model, Copy(page_ids=chosen, position=0), lambda: next(self.ids))
            plan(self.model, Remove(page_ids=chosen), lambda: next(self.ids))

    @rule(chosen=st.lists(pages, max_size=2))
    def an_unknown_page_is_refused(self, chosen: list[str]) -> None:
        ids = [*chosen, UNKNOWN]
        asked: list[Asked] = [Remove(page_ids=ids), Move(page_ids=ids, position=0), Rotate(page_ids=ids, degrees=90)]
        for msg in (*asked, Copy(page_ids=ids, position=0), Tag(page_ids=ids, add=["bill"])):
            self.refused(msg)

    def refused(self, msg: Asked) -> None:
        with pytest.raises(NotFound):
            plan(self.model, msg, lambda: next(self.ids))

    @rule()
    def restart(self) -> None:
        """All that is left is what was written."""
        edit = self.model.whole()
        orders: dict[str, list[str]] = {document_id: [] for document_id in self.document_rows}
        for page_id, entry in sorted(self.rows.items(), key=lambda row: row[1].rank):
            orders[entry.document_id].append(page_id)
        again = Model()
        again.apply(replace(edit, written=dict(self.rows), documents=dict(self.document_rows), orders=orders))
        self.model = again

    @invariant()
    def every_page_is_where_it_belongs(self) -> None:
        assert {key: self.model.order(key) for key in self.model.documents} == self.truth
        assert next(iter(self.model.documents)) == FIRST
        ids = [page_id for order in self.truth.values() for page_id in order]
        assert len(ids) == len(set(ids)) == len(self.model.entries)
        for document_id, order in self.truth.items():
            listed = self.model.listed(ListPages(document_id=document_id))
            assert [page.page_id for page in listed] == order
            assert self.model.document(document_id).pages == len(order)
            for word in ("bill", "tax"):
                tagged = self.model.listed(ListPages(document_id=document_id, tag=word))
                assert tagged == [page for page in listed if word in page.tags]

    @invariant()
    def every_page_looks_as_it_was_left(self) -> None:
        looks = {key: (each.page.rotation_degrees, each.page.tags) for key, each in self.model.entries.items()}
        assert looks == self.looks

    @invariant()
    def the_rows_say_the_same(self) -> None:
        assert self.rows == self.model.entries
        for document_id, order in self.truth.items():
            rows = [(entry.rank, page_id) for page_id, entry in self.rows.items() if entry.document_id == document_id]
            assert [page_id for _, page_id in sorted(rows)] == order
            assert len({rank for rank, _ in rows}) == len(rows)

    @invariant()
    def whoever_only_listens_knows_the_same(self) -> None:
        heard = {key: order for key, order in self.heard.items() if order}
        assert heard == {key: order for key, order in self.truth.items() if order}
        assert self.revisions == {key: each.revision for key, each in self.model.documents.items()}


TestDocuments = Documents.TestCase
TestDocuments.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
