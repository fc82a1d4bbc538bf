"""Cutting and joining files: nothing is lost, nothing comes along, and what can't be read is told by its place."""

from __future__ import annotations

import io

import numpy as np
import pikepdf
import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_making import STORED, cases, drawn, saved, turned
from PIL import Image, ImageOps

from docdask.core.packing import joined_bytes
from docdask.core.unpacking import PageImage
from docdask.errors import DocumentError
from docdask.intake import assembling
from docdask.intake.joining import cut, join
from docdask.intake.limits import Limits
from docdask.model import PageRange

PDF = "application/pdf"
IMAGES = {name: rest for name, *rest in cases()}


def texts(content):
    """Text of each page, as a reader sees it."""
    document = pypdfium2.PdfDocument(content)
    try:
        return [page.get_textpage().get_text_range().strip() for page in document]
    finally:
        document.close()


def shown(content, number=1, dpi=72):
    """A page as an array of grey values."""
    document = pypdfium2.PdfDocument(content)
    try:
        return np.asarray(document[number - 1].render(scale=dpi / 72).to_pil().convert("L"), dtype=np.int16)
    finally:
        document.close()


def image_of(content, number=1):
    """Raw bytes, filter and pixels of the only image of a page."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        image = pdf.pages[number - 1].Resources.XObject.Im0
        return (
            image.read_raw_bytes(),
            str(image.Filter),
            pikepdf.PdfImage(image).as_pil_image().convert("RGB"),
        )


class TestCut:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
    @given(st.data())
    def test_the_piece_has_the_pages_of_its_range(self, make_pdf, data):
        pages = [f"page {number}" for number in range(1, data.draw(st.integers(1, 9)) + 1)]
        first = data.draw(st.integers(1, len(pages)))
        last = data.draw(st.integers(first, len(pages)))
        piece = assembling.cut(make_pdf(*pages), PageRange(first, last))
        assert texts(piece) == pages[first - 1 : last]

    def test_it_is_done_in_a_child_and_gives_the_same_bytes_each_time(self, make_pdf):
        content = make_pdf("one", "two", "three")
        piece = cut(content, PageRange(2, 3))
        assert texts(piece) == ["two", "three"]
        assert cut(content, PageRange(2, 3)) == piece

    def test_what_other_pages_need_stays_behind_though_all_share_one_dictionary(self):
        noise = np.random.default_rng(1).integers(0, 255, (60, 100, 100, 3), dtype=np.uint8)
        with pikepdf.new() as pdf:
            pictures = {
                f"/Im{n}": pdf.make_stream(
                    pixels.tobytes(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=100, Height=100,
                    BitsPerComponent=8, ColorSpace=pikepdf.Name.DeviceRGB,
                )
                for n, pixels in enumerate(noise)
            }  # fmt: skip
            shared = pdf.make_indirect(pikepdf.Dictionary(XObject=pikepdf.Dictionary(pictures)))
            for name in pictures:
                page = pdf.add_blank_page(page_size=(100, 100))
                page.Resources = shared
                page.Contents = pdf.make_stream(f"100 0 0 100 0 0 cm {name} Do".encode())
            out = io.BytesIO()
            pdf.save(out)
        piece = assembling.cut(out.getvalue(), PageRange(31, 45))
        assert len(piece) < len(out.getvalue()) / 3
        assert (shown(piece, 1) == shown(out.getvalue(), 31)).all()

    def test_fields_keep_their_values_and_hidden_layers_stay_hidden(self):
        content = with_form_and_layer()
        for number in (1, 2):
            piece = assembling.cut(content, PageRange(number, number))
            assert (shown(piece) == shown(content, number)).all()
            with pikepdf.open(io.BytesIO(piece)) as pdf:
                assert [str(field.V) for field in pdf.Root.AcroForm.Fields] == [f"value {number}"]

    def test_scripts_outlines_and_metadata_stay_behind(self, make_pdf):
        with pikepdf.open(io.BytesIO(make_pdf("one", "two"))) as pdf:
            pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
            pdf.Root.Names = pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=pikepdf.Array([])))
            pdf.docinfo["/Title"] = "secret"
            with pdf.open_outline() as outline:
                outline.root.append(pikepdf.OutlineItem("chapter", 0))
            out = io.BytesIO()
            pdf.save(out)
        with pikepdf.open(io.BytesIO(assembling.cut(out.getvalue(), PageRange(1, 1)))) as piece:
            assert set(piece.Root.keys()) <= {"/Type", "/Pages"}
            assert "/Info" not in piece.trailer or "/Title" not in piece.docinfo

    def test_pages_that_are_not_there_are_told(self, make_pdf):
        with pytest.raises(DocumentError, match="pages 2-4 were asked for, the PDF has 3") as caught:
            cut(make_pdf("a", "b", "c"), PageRange(2, 4))
        assert caught.value.code == "empty-range"

    @pytest.mark.parametrize(("content", "code"), [(b"%PDF-1.4\nnothing", "corrupt"), (b"", "corrupt")])
    def test_what_is_no_pdf_is_told(self, content, code):
        with pytest.raises(DocumentError) as caught:
            cut(content, PageRange(1, 1))
        assert caught.value.code == code
        assert " at 0x" not in str(caught.value), "the same file must give the same sentence"

    def test_a_password_is_asked_for_before_anything_is_sent(self, make_pdf):
        with pytest.raises(DocumentError) as caught:
            cut(make_pdf("a", encrypt="secret"), PageRange(1, 1))
        assert caught.value.code == "encrypted"


def with_form_and_layer():
    """Two pages, each with a filled field, and a word on a layer that is off."""
    with pikepdf.new() as pdf:
        layer = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name="draft"))
        pdf.Root.OCProperties = pikepdf.Dictionary(
            OCGs=pikepdf.Array([layer]), D=pikepdf.Dictionary(OFF=pikepdf.Array([layer]))
        )
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        fields = []
        for number in (1, 2):
            page = pdf.add_blank_page(page_size=(300, 200))
            page.Resources = pikepdf.Dictionary(
                Font=pikepdf.Dictionary(F1=font), Properties=pikepdf.Dictionary(L1=layer)
            )
            page.Contents = pdf.make_stream(
                f"BT /F1 20 Tf 20 150 Td (page {number}) Tj ET "
                "/OC /L1 BDC BT /F1 40 Tf 20 50 Td (HIDDEN) Tj ET EMC".encode()
            )
            look = pdf.make_stream(
                f"/Tx BMC BT /F1 12 Tf 2 5 Td (value {number}) Tj ET EMC".encode(),
                Type=pikepdf.Name.XObject,
                Subtype=pikepdf.Name.Form,
                BBox=[0, 0, 200, 20],
                Resources=pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font)),
            )
            widget = pdf.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Tx, T="name",
                    V=f"value {number}", Rect=[20, 100, 220, 120], F=4, AP=pikepdf.Dictionary(N=look), P=page.obj,
                )
            )  # fmt: skip
            page.Annots = pikepdf.Array([widget])
            fields.append(widget)
        fields[1].T = "other name"
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array(fields), DA="/F1 12 Tf 0 g")
        out = io.BytesIO()
        pdf.save(out)
    return out.getvalue()


class TestJoin:
    def test_pages_follow_each_other_and_each_part_tells_its_own(self, make_pdf):
        parts = [(make_pdf("a", "b"), PDF), (saved(drawn(), "PNG"), "image/png"), (make_pdf("c"), PDF)]
        content, pages = join(parts)
        assert texts(content) == ["a", "b", "", "c"]
        assert pages == [[None, None], [PageImage(600, 400, "image/png")], [None]]
        assert join(parts) == (content, pages)

    def test_pages_of_pdfs_look_as_they_did(self, make_pdf):
        one, other = with_form_and_layer(), make_pdf("x", size=(200, 500))
        content, _ = join([(one, PDF), (other, PDF), (one, PDF)])
        for number, (source, page) in enumerate(
            ((one, 1), (one, 2), (other, 1), (one, 1), (one, 2)), start=1
        ):
            assert (shown(content, number) == shown(source, page)).all()

    def test_fields_of_the_same_name_stay_apart(self):
        content, _ = join([(with_form_and_layer(), PDF)] * 2)
        with pikepdf.open(io.BytesIO(content)) as pdf:
            values = [str(field.V) for field in pdf.Root.AcroForm.Fields]
            names = {str(field.T) for field in pdf.Root.AcroForm.Fields}
        assert sorted(values) == ["value 1"] * 2 + ["value 2"] * 2
        assert len(names) == 4

    @pytest.mark.parametrize(
        "name", [name for name in IMAGES if name.startswith("jpeg") and "preview" not in name]
    )
    def test_a_jpeg_arrives_byte_for_byte(self, name):
        data, mime_type, _ = IMAGES[name]
        content, _ = assembling.join([mime_type], data, limits=Limits())
        raw, stored, _ = image_of(content)
        assert (raw, stored) == (data, "/DCTDecode")

    def test_the_data_of_a_png_arrive_byte_for_byte(self):
        for name in ("png", "png-turned", "png-profile", "png-grey", "png-bilevel", "png-palette", "png-16"):
            data, mime_type, _ = IMAGES[name]
            content, _ = assembling.join([mime_type], data, limits=Limits())
            raw, _, _ = image_of(content)
            assert raw in data, name

    @pytest.mark.parametrize(
        "name",
        [name for name in IMAGES if not name.startswith("jpeg") and "16" not in name and name != "tiff-real"],
    )
    def test_pixels_are_those_of_the_file(self, name):
        data, mime_type, pages = IMAGES[name]
        content, ((*facts,),) = assembling.join([mime_type], data, limits=Limits())
        assert len(facts) == pages
        with Image.open(io.BytesIO(data)) as image:
            for number, fact in enumerate(facts, start=1):
                image.seek(number - 1)
                image.load()
                stored = image_of(content, number)[2]
                upright = ImageOps.exif_transpose(image)
                assert (fact.width, fact.height, fact.mime_type) == (*upright.size, mime_type)
                wanted = image if stored.size == image.size and name == "png-turned" else upright
                assert (np.asarray(stored) == np.asarray(on_white(wanted))).all()

    @pytest.mark.parametrize("orientation", sorted(STORED))
    @pytest.mark.parametrize("form", ["JPEG", "PNG"])
    def test_the_page_is_upright_and_has_the_image_s_own_pixels(self, orientation, form):
        data = turned(orientation, form)
        content, pages = assembling.join([f"image/{form.lower()}"], data, limits=Limits())
        assert (pages[0][0].width, pages[0][0].height) == (600, 400)
        page = shown(content, dpi=assembling.PIXELS_PER_INCH)
        wanted = np.asarray(drawn().convert("L"), dtype=np.int16)
        assert page.shape == wanted.shape
        assert np.abs(page - wanted).mean() < 2

    @pytest.mark.parametrize("name", IMAGES)
    def test_it_grows_no_more_than_packing_plans_for(self, name):
        data, mime_type, pages = IMAGES[name]
        content, ((*facts,),) = assembling.join([mime_type], data, limits=Limits())
        pixels = max(fact.width * fact.height for fact in facts)
        assert len(content) <= joined_bytes(mime_type, len(data), pages, pixels)

    def test_sides_stay_within_what_readers_take(self):
        small, wide = Image.new("L", (1, 2), 255), Image.new("L", (60_000, 3), 255)
        content, _ = assembling.join(
            ["image/png"] * 2, saved(small, "PNG"), saved(wide, "PNG"), limits=Limits()
        )
        with pikepdf.open(io.BytesIO(content)) as pdf:
            boxes = [[float(side) for side in page.MediaBox[2:]] for page in pdf.pages]
        assert boxes == [[3.0, 3.0], [14400.0, 3.0]]

    @pytest.mark.parametrize("place", [0, 1, 2])
    @pytest.mark.parametrize("kind", ["cut-short", "no-image", "no-pdf", "no-pages", "locked"])
    def test_a_damaged_part_is_told_by_its_place_and_the_others_go_on(self, make_pdf, kind, place):
        empty = io.BytesIO()
        with pikepdf.new() as pdf:
            pdf.save(empty)
        damaged, code = {
            "cut-short": ((turned(1)[:6000], "image/jpeg"), "corrupt"),
            "no-image": ((b"no image at all", "image/png"), "corrupt"),
            "no-pdf": ((b"%PDF-1.7 and no more", PDF), "corrupt"),
            "no-pages": ((empty.getvalue(), PDF), "no-pages"),
            "locked": ((make_pdf("x", encrypt="secret"), PDF), "encrypted"),
        }[kind]
        parts = [(make_pdf("a"), PDF), (make_pdf("b"), PDF)]
        parts.insert(place, damaged)
        content, pages = join(parts)
        assert texts(content) == ["a", "b"]
        assert [type(found) is list for found in pages] == [index != place for index in range(3)]
        assert isinstance(pages[place], DocumentError)
        assert pages[place].code == code
        assert pages[place].remedy

    def test_a_part_that_breaks_while_it_is_written_is_told_too(self, make_pdf, monkeypatch):
        good, bad = make_pdf("a"), make_pdf("b")
        whole = assembling._saved
        opened = []

        def remembered(data, open_files, read=assembling._pdf):
            opened.append((read(data, open_files), data))
            return opened[-1][0]

        def saved(parts):
            if any(data is bad for source, _ in parts for known, data in opened if known is source):
                raise RuntimeError("QPDF tokenize error")
            return whole(parts)

        monkeypatch.setattr(assembling, "_pdf", remembered)
        monkeypatch.setattr(assembling, "_saved", saved)
        content, pages = assembling.join([PDF] * 3, good, bad, good, limits=Limits())
        assert texts(content) == ["a", "a"]
        assert [isinstance(found, DocumentError) for found in pages] == [False, True, False]

    def test_a_part_that_takes_all_memory_is_found(self, make_pdf):
        huge = saved(Image.new("RGB", (11_000, 11_000)), "PNG", compress_level=1)
        parts = [(make_pdf("a"), PDF), (huge, "image/png"), (make_pdf("b"), PDF)]
        content, pages = join(parts, limits=Limits(memory_bytes=300 * 2**20))
        assert texts(content) == ["a", "b"]
        assert [getattr(found, "code", "") for found in pages] == ["", "memory", ""]

    def test_more_pixels_than_the_limit_are_told_before_they_are_decoded(self):
        content, (found,) = join([(saved(drawn(), "PNG"), "image/png")], limits=Limits(image_pixels=1000))
        assert content == b""
        assert isinstance(found, DocumentError)
        assert found.code == "oversize-image"

    def test_nothing_good_gives_nothing(self):
        content, pages = join([(b"x", PDF), (b"y", "image/png")])
        assert content == b""
        assert all(isinstance(found, DocumentError) for found in pages)


def on_white(image):
    """RGB, with white under what is transparent."""
    keyed = "transparency" in image.info and image.mode in {"1", "L", "P", "RGB"}
    if not (keyed or image.mode in {"RGBA", "LA", "PA"}):
        return image.convert("RGB")
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, image).convert("RGB")


@pytest.mark.corpus
def test_every_pdf_of_the_corpus_looks_and_reads_the_same_when_it_is_joined(corpus):
    joined = 0
    for path in sorted(corpus.rglob("*.pdf")):
        content = path.read_bytes()
        if len(content) > 2**21:
            continue
        made, (pages,) = assembling.join([PDF], content, limits=Limits())
        if isinstance(pages, DocumentError):
            assert path.parent.name == "hostile", path.name
            assert pages.remedy
            assert " at 0x" not in pages.message
            continue
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError:
            continue  # qpdf has mended what PDFium can't open
        assert len(pages) == len(document), path.name
        document.close()
        joined += 1
        for number in range(1, min(len(pages), 2) + 1):
            assert (shown(made, number, 36) == shown(content, number, 36)).all(), (path.name, number)
        assert texts(made)[:2] == texts(content)[:2], path.name
    assert joined > 60
