"""Files imported together: pictures of a conversation in one may be in another, as in a split Takeout."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import tempfile
import zipfile

import pytest
from click.testing import CliRunner

from tests.foreign import chatgpt
from tests.foreign.others import activity
from tests.test_import_pictures import packed, png, seen, zipped
from webchat.archive.beside import Together
from webchat.archive.bounds import Bounds, Watch
from webchat.cli import main

GEMINI = "Takeout/My Activity/Gemini Apps/"
FOR_OTHERS = "import the two together."


def asked(*names):
    """A part of a Takeout with a prompt to which these files are attached."""
    entry = activity("Prompted See", "2026-10-01T10:00:00Z", "<p>Red.</p>", "g")
    return {f"{GEMINI}MyActivity.json": json.dumps([entry | {"attachedFiles": [*names]}])}


@pytest.fixture
def bring_in(manager):
    """Imports files together; returns a report for each."""

    def bring(*files, **most):
        files = [io.BytesIO(file) for file in files]
        together = Together(files)
        return [manager.archive.bring_in(file, None, Watch(Bounds(**most)), together=together) for file in files]

    return bring


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_split_takeout_is_one(manager, bring_in, order):
    parts = [
        zipped(asked("a.png", "b.png") | {f"{GEMINI}a.png": png(1), "Takeout/Google Photos/b.png": png(7)}),
        zipped({f"{GEMINI}b.png": png(2)}),
        zipped({"Takeout/Google Photos/c.png": png(3)}),
    ]
    reports = bring_in(*(parts[place] for place in order))
    assert [(len(each.imported), each.problems, each.missing) for each in reports] == [
        (int(place == 0), [], 0) for place in order
    ]
    (session_id,) = (name for each in reports for name in each.imported)
    assert seen(manager, session_id) == (["See", "Red."], [png(1), png(2)], [])


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize("deeper", [False, True])
def test_in_a_zip_of_zips_they_lie_beside_each_other(manager, bring_in, names, deeper):
    asking, pictures = zipped(asked("a.png")), zipped({f"{GEMINI}a.png": png(1)})
    outer = zipped({f"{names[0]}.zip": asking, f"{names[1]}.zip": pictures})
    (report,) = bring_in(zipped({"outer.zip": outer}) if deeper else outer)
    assert (report.problems, report.missing) == ([], 0)
    assert seen(manager, report.imported[0]) == (["See", "Red."], [png(1)], [])


def test_the_zips_in_a_zip_are_bounded_together(bring_in):
    asking, pictures = zipped(asked("a.png")), zipped({f"{GEMINI}{name}.png": png(1) for name in "abc"})
    damaged = zipped({f"{GEMINI}b.png": png(2)})[:-30]
    (report,) = bring_in(zipped({"a.zip": asking, "b.zip": damaged, "c.zip": pictures, "d.zip": pictures}), files=4)
    assert (len(report.imported), report.missing) == (1, 0)
    (report,) = bring_in(zipped({"a.zip": asking, "b.zip": pictures}), files=2)
    assert (len(report.imported), report.missing) == (0, 0)


class TestLookingThroughTheZipsInAZip:
    @pytest.fixture
    def copy_into(self, monkeypatch):
        """Has the zips in a zip copied into such files."""
        begin = tempfile.TemporaryFile

        def copy_into(kind):
            # Whatever else needs a temporary file says in which folder.
            monkeypatch.setattr(tempfile, "TemporaryFile", lambda **given: begin(**given) if given else kind())

        return copy_into

    @pytest.fixture
    def written(self, copy_into):
        """The sizes of what is written into copies."""
        written = []

        class Copy(io.BytesIO):
            def write(self, data):
                written.append(len(data))
                return super().write(data)

        copy_into(Copy)
        return written

    def test_its_bytes_do_not_count_twice(self, bring_in):
        large = zipped({f"{GEMINI}b.png": os.urandom(2_000_000)})
        (report,) = bring_in(zipped({"a.zip": zipped(asked("gone.png")), "b.zip": large}), unpacked=3_000_000)
        assert (len(report.imported), report.missing, report.problems) == (1, 1, [])

    def test_it_is_not_needed_for_what_a_zip_has_itself(self, bring_in, written):
        drawn = packed(chatgpt.EXPORT, file_0001=png(1), dalle__file_0002=png(2))
        (report,) = bring_in(zipped({"a.zip": drawn, "b.zip": zipped({"b.png": png(3)})}))
        assert (len(report.imported), report.missing, written) == (2, 0, [])

    def test_its_copies_are_no_larger_than_what_may_be_unpacked(self, bring_in, written):
        outer = zipped({"a.zip": zipped(asked("gone.png")), "b.zip": bytes(2_000_000), "c.zip": bytes(2_000_000)})
        (report,) = bring_in(outer, unpacked=1_000_000)
        assert (len(report.imported), report.missing) == (1, 1)
        assert sum(written) <= 1_000_000

    def test_a_full_disk_costs_only_the_pictures_there(self, bring_in, copy_into):
        class Full(io.BytesIO):
            def write(self, data):
                raise OSError(errno.ENOSPC, "No space left on device")

        copy_into(Full)
        (report,) = bring_in(zipped({"a.zip": zipped(asked("a.png")), "b.zip": zipped({"a.png": png(1)})}))
        assert (len(report.imported), report.missing, report.problems) == (1, 1, [])


def test_chatgpts_assets_lie_in_other_zips(manager, bring_in):
    first, second = drawing_and_sent()
    session_id = bring_in(first, second)[0].imported[0]
    assert [len(pictures) for pictures in seen(manager, session_id)[1:]] == [1, 1]


def drawing_and_sent():
    return packed(chatgpt.EXPORT, file_0001=png(1)), zipped({"dalle/file_0002.dat": png(2)})


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_that_is_no_zip_has_its_pictures_in_one(manager, bring_in, pack):
    (conversations,) = asked("a.png").values()
    report, _ = bring_in(pack(conversations.encode()), zipped({f"{GEMINI}a.png": png(1)}))
    assert seen(manager, report.imported[0])[1] == [png(1)]


def test_a_part_that_comes_later_gives_the_messages_here_their_pictures(manager, bring_in):
    first, second = zipped(asked("a.png", "gone.png")), zipped({f"{GEMINI}a.png": png(1)})
    (report,) = bring_in(first)
    assert (report.missing, report.problems) == (2, [])
    (alone,) = bring_in(second)
    assert [problem.endswith(FOR_OTHERS) for problem in alone.problems] == [True]
    again, _ = bring_in(first, second)
    assert (again.grown, again.missing) == (report.imported, 1)
    assert seen(manager, report.imported[0]) == (["See\n\n[file: gone.png]", "Red."], [png(1)], [])


@pytest.mark.parametrize("damage", ["cut", "not a zip", "too many files"])
def test_another_file_that_cannot_be_read_costs_only_its_pictures(manager, bring_in, damage):
    other = zipped({f"{GEMINI}a.png": png(1), **{f"more{number}": b"" for number in range(20)}})
    other = {"cut": other[:60], "not a zip": b"PK", "too many files": other}[damage]
    report, _ = bring_in(zipped(asked("a.png")), other, files=20)
    assert (len(report.imported), report.missing, report.problems) == (1, 1, [])


def test_the_files_of_all_zips_together_are_bounded(manager, bring_in):
    noise = [zipped({f"{number}-{more}": b"x" for more in range(20)}) for number in range(2)]
    pictures = zipped({f"{number}.png": png(number) for number in range(20)})
    assert bring_in(zipped(asked("7.png")), *noise, pictures, files=50)[0].missing == 1
    report = bring_in(zipped(asked("7.png")), pictures, *noise, files=50)[0]
    assert (report.missing, len(report.grown)) == (0, 1)


def test_what_is_unpacked_of_other_zips_counts(manager, bring_in):
    large = png(1) + bytes(200_000)
    report, _ = bring_in(zipped(asked("a.png")), zipped({f"{GEMINI}a.png": large}), unpacked=100_000)
    assert report.problems[0].startswith("Stopped: the zip unpacks to more than")


def test_many_files_are_read_in_turn(manager, bring_in):
    """Reading from one file does not disturb another's own turn."""
    parts = []
    for number in range(4):
        entry = activity(f"Prompted {number}", f"2026-10-01T10:00:0{number}Z", "<p>So.</p>", f"g{number}")
        entry["attachedFiles"] = [f"{(number + 1) % 4}.png", f"{(number + 2) % 4}.png"]
        noise = {f"noise-{part}.json": json.dumps({"x": os.urandom(90_000).hex()}) for part in range(4)}
        files = {f"{GEMINI}MyActivity.json": json.dumps([entry]), f"{GEMINI}{number}.png": png(number), **noise}
        parts.append(zipped(files))
    for number, report in enumerate(bring_in(*parts)):
        assert seen(manager, report.imported[0])[1] == [png((number + 1) % 4), png((number + 2) % 4)]


class TestTheFaces:
    @pytest.fixture
    def parts(self, tmp_path):
        first, second = tmp_path / "takeout-001.zip", tmp_path / "takeout-002.zip"
        first.write_bytes(zipped(asked("a.png", "gone.png")))
        second.write_bytes(zipped({f"{GEMINI}a.png": png(1)}))
        return first, second

    def run(self, home, *files):
        return CliRunner().invoke(main, ["import", "--home", str(home), *map(str, files)])

    @pytest.mark.parametrize("reverse", [False, True])
    def test_the_command(self, manager, home, parts, reverse):
        result = self.run(home, *(reversed(parts) if reverse else parts))
        assert (result.exit_code, result.stderr) == (0, "")
        assert sorted(result.stdout.replace(f"{parts[0].parent}/", "").splitlines()) == [
            "takeout-001.zip: 1 imported, 0 here already; 1 picture is not in the files",
            "takeout-002.zip: only pictures",
        ]
        (session,) = manager.list_sessions()
        assert seen(manager, session.session_id)[1] == [png(1)]

    def test_the_command_with_nothing_but_pictures(self, home, parts):
        for count in (1, 2):
            result = self.run(home, *[parts[1]] * count)
            assert (result.exit_code, result.stderr.count(FOR_OTHERS)) == (1, 1)

    def upload(self, *files):
        data = {"file": [(io.BytesIO(file.read_bytes()), file.name) for file in files]}
        return {"data": data, "content_type": "multipart/form-data"}

    def test_the_page(self, client, page, parts):
        shown = page(client.post("/sessions/import", **self.upload(*reversed(parts)))).soup.get_text()
        assert "1 session imported" in shown
        assert "1 picture is not in the files" in shown
        assert FOR_OTHERS not in shown
        assert "This kind of file is unknown" not in shown
        shown = page(client.post("/sessions/import", **self.upload(parts[1]))).soup.get_text()
        assert FOR_OTHERS in shown

    def test_a_script(self, client, manager, parts):
        answer = client.post("/sessions/import", **self.upload(*parts), headers={"Accept": "application/json"})
        assert (len(answer.json["imported"]), answer.json["missing"], answer.json["problems"]) == (1, 1, [])
        assert seen(manager, answer.json["imported"][0])[1] == [png(1)]


def test_a_zip_without_pictures_or_conversations_is_of_no_kind(bring_in):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.txt", "x")
    (report,) = bring_in(data.getvalue())
    assert "is unknown" in report.problems[0]
