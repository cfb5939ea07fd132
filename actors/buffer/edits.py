"""What each request makes of a session's documents: a message in, an edit out; nothing waits and nothing is written."""

from collections.abc import Callable

from msgspec.structs import replace

from actors.buffer.draft import Draft
from actors.buffer.model import Edit, Model
from schemas.buffer import (
    FIRST,
    PAGES,
    Append,
    Copy,
    CreateDocument,
    Document,
    Move,
    Remove,
    RemoveDocument,
    RenameDocument,
    Rotate,
    SetDefaultTag,
    Tag,
)
from schemas.errors import TooLarge
from schemas.page import TAGS, Page

DOCUMENTS = 100
SESSION_PAGES = 50_000
"""How many pages copying may make of a session."""
Asked = Append | Copy | CreateDocument | Move | Remove | RemoveDocument | RenameDocument | Rotate | SetDefaultTag | Tag
NewId = Callable[[], str]


def plan(model: Model, msg: Asked, new_id: NewId) -> Edit:
    """All that a request changes. Raises NotFound, TooLarge; then nothing changes."""
    draft = Draft(model)
    made: list[str] = []
    match msg:
        case Append():
            made = [_append(model, draft, msg, new_id)]
        case Copy():
            made = _copy(model, draft, msg, new_id)
        case Move():
            _move(model, draft, msg)
        case Remove():
            model.pages(msg.page_ids)
            draft.remove(msg.page_ids)
        case Rotate():
            for page in model.pages(dict.fromkeys(msg.page_ids)):
                if msg.degrees:
                    draft.write(replace(page, rotation_degrees=(page.rotation_degrees + msg.degrees) % 360))
        case Tag():
            for page in model.pages(dict.fromkeys(msg.page_ids)):
                tags = [each for each in dict.fromkeys([*page.tags, *msg.add]) if each not in msg.remove]
                if tags != page.tags:
                    draft.write(_tagged(page, tags))
        case CreateDocument():
            made = [_create(model, draft, msg, new_id)]
        case RenameDocument():
            draft.write_document(replace(model.document(msg.document_id), name=msg.name))
        case RemoveDocument():
            _remove_document(model, draft, msg)
        case SetDefaultTag():
            draft.set_default_tag(msg.tag)
    edit = draft.finish()
    edit.made = made
    return edit


def _append(model: Model, draft: Draft, msg: Append, new_id: NewId) -> str:
    page_id = new_id()
    page = Page(
        page_id=page_id,
        image=msg.image,
        rotation_degrees=msg.rotation_degrees,
        job_id=msg.job_id,
        number=msg.number,
    )
    draft.write(_tagged(page, list(dict.fromkeys([*msg.tags, *filter(None, [model.default_tag])]))[:TAGS]))
    document_id = msg.document_id if msg.document_id in model.documents else ""
    after = model.entries.get(msg.after_page_id)
    if after is not None and document_id in ("", after.document_id):
        document_id = after.document_id
        position = model.order(document_id).index(msg.after_page_id) + 1
    else:
        document_id = model.document(document_id).document_id
        position = len(model.order(document_id))
    draft.insert([page_id], document_id, position)
    return page_id


def _move(model: Model, draft: Draft, msg: Move) -> None:
    moved = [page.page_id for page in model.pages(dict.fromkeys(msg.page_ids))]
    document_id = model.document(msg.document_id or model.entry(moved[0]).document_id).document_id
    draft.take(moved)
    draft.insert(moved, document_id, msg.position)
    _fits(model, draft, document_id)


def _copy(model: Model, draft: Draft, msg: Copy, new_id: NewId) -> list[str]:
    pages = model.pages(msg.page_ids)
    document_id = model.document(msg.document_id or model.entry(msg.page_ids[0]).document_id).document_id
    if len(model.entries) + len(pages) > SESSION_PAGES:
        raise TooLarge(f"A session has at most {SESSION_PAGES} pages. Remove some, or begin another.")
    # A copy was not scanned: it is no page of the job.
    copies = [replace(page, page_id=new_id(), job_id="", number=0) for page in pages]
    for copy in copies:
        draft.write(copy)
    made = [copy.page_id for copy in copies]
    draft.insert(made, document_id, msg.position)
    _fits(model, draft, document_id)
    return made


def _create(model: Model, draft: Draft, msg: CreateDocument, new_id: NewId) -> str:
    if len(model.documents) >= DOCUMENTS:
        raise TooLarge(f"A session has at most {DOCUMENTS} documents. Remove one first.")
    document = Document(document_id=new_id(), name=msg.name)
    draft.write_document(document)
    return document.document_id


def _remove_document(model: Model, draft: Draft, msg: RemoveDocument) -> None:
    document = model.document(msg.document_id)
    draft.remove(list(model.order(document.document_id)))
    if document.document_id == FIRST:
        draft.write_document(replace(document, name=""))
    else:
        draft.write_document(document)
        draft.remove_document(document.document_id)


def _fits(model: Model, draft: Draft, document_id: str) -> None:
    if draft.length(document_id) > max(PAGES, len(model.order(document_id))):
        raise TooLarge(f"A document has at most {PAGES} pages. Put some into another one.")


def _tagged(page: Page, tags: list[str]) -> Page:
    if len(tags) > TAGS:
        raise TooLarge(f"A page has at most {TAGS} tags. Take some away first.")
    return replace(page, tags=tags)
