"""Pictures are recognised by their content and stripped of metadata."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pictures import SECRET, chunk, exif, photo, pixels, png, profile, telling
from webchat.attachments import NewPicture, attachments, media_type_of
from webchat.attachments.broken import MOST_PARTS, Broken
from webchat.attachments.exif import orientation_of, tiff_with
from webchat.attachments.jpeg import MOST_SEGMENTS
from webchat.attachments.pictures import MOST_PIXELS, new_picture
from webchat.errors import InvalidInput

EARLY = "ends too early: it is damaged, or was not copied completely."
KINDS = ["PNG", "JPEG", "WEBP", "GIF"]


def sent(data: bytes, name: str = "a.png") -> NewPicture:
    (picture,) = attachments([(name, data)]).pictures
    return picture


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_keeps_what_it_shows_and_nothing_that_it_says(kind):
    before = telling(kind)
    assert SECRET in before
    picture = sent(before)
    assert SECRET not in picture.data
    assert b"GPS" not in picture.data
    assert pixels(picture.data) == pixels(before)
    assert picture.sent.media_type == f"image/{kind.lower()}"
    assert picture.sent.size == len(picture.data)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_been_cleaned_stays_as_it_is(kind):
    once = sent(telling(kind))
    assert sent(once.data) == once


@pytest.mark.parametrize(("kind", "orientation", "size"), [("JPEG", 6, (24, 40)), ("JPEG", 3, (40, 24))])
def test_a_turned_one_stays_turned_and_has_the_size_that_is_shown(kind, orientation, size):
    picture = sent(telling(kind, orientation))
    assert pixels(picture.data)[1] == orientation
    assert (picture.sent.width, picture.sent.height) == size


@pytest.mark.parametrize("kind", KINDS)
def test_an_upright_one_has_no_exif_data_at_all(kind):
    picture = sent(photo(kind) if kind == "GIF" else photo(kind, exif=exif(1)))
    assert b"MM\0*" not in picture.data
    assert b"II*\0" not in picture.data
    assert (picture.sent.width, picture.sent.height) == (40, 24)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_an_animation_stays_one(kind):
    image = pytest.importorskip("PIL.Image")
    frames = [image.new("RGB", (40, 24), colour) for colour in ("red", "green", "blue")]
    data = photo(kind, save_all=True, append_images=frames, duration=50, loop=0)
    assert len(pixels(data)[0]) == 4
    assert pixels(sent(data).data) == pixels(data)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 1}])
def test_every_jpeg_is_kept(options):
    data = photo("JPEG", **options)
    assert pixels(sent(data).data) == pixels(data)


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_a_jpeg_of_other_colours_is_kept(mode):
    import io

    image = pytest.importorskip("PIL.Image")
    into = io.BytesIO()
    image.linear_gradient("L").convert(mode).save(into, "JPEG")
    assert pixels(sent(into.getvalue()).data) == pixels(into.getvalue())


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 50}])
def test_every_webp_is_kept(options):
    data = photo("WEBP", **options)
    assert pixels(sent(data).data) == pixels(data)


def test_a_preview_inside_a_jpeg_and_a_second_picture_behind_it_are_left_out():
    plain = photo("JPEG")
    preview = b"\xff\xe0" + struct.pack(">H", 2 + 14 + 27) + b"JFIF\0\1\2\0\0\1\0\1\3\3" + SECRET[:3] * 9
    data = plain[:2] + preview + plain[2:] + telling("JPEG")
    assert SECRET not in sent(data).data
    assert SECRET[:3] * 9 not in sent(data).data
    assert pixels(sent(data).data)[0] == pixels(plain)[0]


def test_a_text_is_no_picture_whatever_its_name_says():
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    found = attachments([("a.svg", svg.encode()), ("b.png", b"hello"), ("c.txt", png()), ("d.txt", "\ufeffx")])
    assert [(file.name, file.content) for file in found.files][:2] == [("a.svg", svg), ("b.png", "hello")]
    assert [picture.sent.media_type for picture in found.pictures] == ["image/png"]
    assert found.pictures[0].sent.name == "c.txt"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("cut.png", png()[:-20], f"cut.png {EARLY}"),
        (
            "cut.jpg",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            f"cut.jpg {EARLY}",
        ),
        (
            "cut.webp",
            b"RIFF\xff\0\0\0WEBPVP8 ",
            f"cut.webp {EARLY}",
        ),
        ("cut.gif", b"GIF89a\1\0", f"cut.gif {EARLY}"),
        ("flipped.png", png().replace(b"IDAT\x78", b"IDAT\x79"), "flipped.png is damaged: a checksum in it is wrong."),
        ("empty.gif", b"GIF89a\1\0\1\0\0\0\0;", "empty.gif contains no picture: it is damaged."),
        (
            "a.heic",
            b"\0\0\0\x18ftypheic\0\0\0\0\xff",
            "a.heic is a picture in HEIC. Send it as PNG, JPEG, WebP or GIF.",
        ),
        ("a.bmp", b"BM\xff\xfe", "a.bmp is a picture in BMP. Send it as PNG, JPEG, WebP or GIF."),
        ("a.zip", b"PK\3\4\xff", "a.zip is neither a UTF-8 text file nor a PDF, PNG, JPEG, WebP or GIF."),
    ],
)
def test_what_cannot_be_sent_is_said(name, data, says):
    with pytest.raises(InvalidInput) as raised:
        attachments([(name, data)])
    assert str(raised.value) == says


def test_a_picture_that_unpacks_to_too_much_is_refused():
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    with pytest.raises(InvalidInput, match="50,000 × 50,000 pixels: 100 million at most"):
        sent(data)
    assert MOST_PIXELS == 100_000_000


def test_a_colour_profile_that_unpacks_to_too_much_is_left_out():
    bomb = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2**25)))
    assert b"iCCP" not in sent(png(3, 2, bomb)).data
    small = chunk(b"iCCP", b"x\0\0" + zlib.compress(profile()))
    assert small in sent(png(3, 2, small)).data


def test_how_many_and_how_large_they_may_be():
    large = png(3, 2, chunk(b"IDAT", bytes(8 * 2**20)))
    with pytest.raises(InvalidInput, match=r"large\.png is too large: 10 MiB at most"):
        sent(large[:-12] + chunk(b"IDAT", bytes(2**21)) + large[-12:], "large.png")
    assert len(attachments([("a.png", large)] * 3).pictures) == 3
    with pytest.raises(InvalidInput, match="too large together: 30 MiB at most"):
        attachments([("a.png", large)] * 4)
    with pytest.raises(InvalidInput, match="10 files at most"):
        attachments([("a.png", png())] * 11)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_in_either_order(order):
    magic = {"<": b"II*\0", ">": b"MM\0*"}[order]
    entries = struct.pack(f"{order}HHHIHH", 1, 0x0112, 3, 1, 8, 0)
    assert orientation_of(magic + struct.pack(f"{order}I", 8) + entries) == 8
    assert [orientation_of(tiff_with(turn)) for turn in range(1, 9)] == [*range(1, 9)]
    for damaged in (b"", magic, magic + struct.pack(f"{order}I", 9999), magic + struct.pack(f"{order}IH", 8, 60000)):
        assert orientation_of(damaged) == 1


def header(width=3, height=2):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


@pytest.mark.parametrize("part", [b"\xff\xdb\x00\x02", b"\xff\xe5\x00\x02", b"\xff\xd0"])
def test_a_jpeg_has_a_bounded_number_of_segments(part):
    before = photo("JPEG")
    most = before[:2] + part * (MOST_SEGMENTS // 2) + before[2:]
    assert pixels(sent(most).data) == pixels(before)
    with pytest.raises(InvalidInput, match="has too many parts"):
        sent(before[:2] + part * MOST_SEGMENTS + before[2:])


@pytest.mark.parametrize(
    ("kind", "place", "part"),
    [("GIF", -1, b"\x21\xfe\x00"), ("PNG", 33, chunk(b"tEXt", b"")), ("WEBP", None, b"XXXX\x00\x00\x00\x00")],
)
def test_nor_has_any_other_picture_more_parts_than_are_counted(kind, place, part):
    def grown(count):
        data = photo(kind)
        data = (data[:place] if place else data) + part * count + (data[place:] if place else b"")
        return data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:] if kind == "WEBP" else data

    assert pixels(sent(grown(1000)).data) == pixels(photo(kind))
    with pytest.raises(InvalidInput, match="has too many parts"):
        sent(grown(MOST_PARTS))


def test_fill_bytes_before_a_marker_are_no_segments():
    before = photo("JPEG")
    assert sent(before[:2] + b"\xff" * 2 * MOST_SEGMENTS + before[2:]).data == sent(before).data


@pytest.mark.parametrize("second", [chunk(b"IHDR", b""), header(1, 1), header(60_000, 60_000)])
def test_a_png_has_one_header(second):
    with pytest.raises(InvalidInput, match="is damaged"):
        sent(png(3, 2, second))


@pytest.mark.parametrize("second", [b"", bytes(10)])
def test_a_webp_has_one_extended_header(second):
    body = b"WEBP" + b"VP8L\5\0\0\0\x2f\0\0\0\0\0" + b"VP8X" + struct.pack("<I", len(second)) + second
    with pytest.raises(InvalidInput, match="is damaged"):
        sent(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_of_many_colour_profiles_only_the_first_is_looked_at():
    one, two = (chunk(b"iCCP", name + b"\0\0" + zlib.compress(b"colours")) for name in (b"one", b"two"))
    damaged = chunk(b"iCCP", b"damaged\0\0colours")
    assert sent(png(3, 2, one, two)).data == png(3, 2, one)
    assert sent(png(3, 2, damaged, two)).data == png()
    end = chunk(b"IEND", b"")
    assert sent(png().replace(end, one + end)).data == png()


SAMPLES = [png(), telling("JPEG"), telling("PNG"), telling("WEBP"), telling("GIF"), photo("WEBP", lossless=True)]


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), max_size=5),
    st.floats(0, 1),
)
def test_whatever_is_wrong_with_one_it_is_refused_or_clean(data, changes, end):
    """Bytes changed, inserted or cut off anywhere: no other exception is raised."""
    data = bytearray(data[: max(12, int(len(data) * (0.5 + end)))])
    for place, new in changes:
        at = 12 + int((len(data) - 12) * place)
        data[at : at + len(new)] = new
    media_type = media_type_of(bytes(data))
    assert media_type is not None
    try:
        picture = new_picture("a", media_type, bytes(data))
    except Broken:
        return
    assert new_picture("a", media_type, picture.data) == picture
