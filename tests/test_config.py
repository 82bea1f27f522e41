"""Settings: a flag overrides the environment, that the saved file, and that the default."""

from __future__ import annotations

import json

import pytest

from tests.stored import documents_of, load, settings_path
from webchat import config
from webchat.errors import InvalidInput
from webchat.fileutil import atomic_write

SECRET = "sk-very-secret-7"


def saved(home, /, **values):
    atomic_write(settings_path(home), json.dumps(values))


def setting(name):
    return next(setting for setting in config.SETTINGS if setting.name == name)


class TestOrder:
    def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(self, home):
        layers = [{"AMPLIFIER_HOME": str(home), "WEBCHAT_THEME": "dark"}, {"WEBCHAT_THEME": "light"}]
        found = []
        saved(home, theme="dark")
        for explicit, environ in (
            ({**layers[0], "WEBCHAT_THEME": "system"}, layers[1]),
            ({"AMPLIFIER_HOME": str(home)}, layers[1]),
            ({"AMPLIFIER_HOME": str(home)}, {}),
            ({"AMPLIFIER_HOME": str(home / "elsewhere")}, {}),
        ):
            settings, sources = load(explicit, environ)
            found.append((settings.theme, sources["theme"]))
        assert found == [("system", "flag"), ("light", "environment"), ("dark", "file"), ("system", "default")]

    def test_without_anything_all_is_default(self, home):
        settings, sources = load({"AMPLIFIER_HOME": str(home)}, {})
        assert settings == config.Settings(home=home)
        assert {name for name, source in sources.items() if source != "default"} == {"home"}

    def test_the_environment_names_the_folder_whose_file_counts(self, home):
        saved(home, theme="light")
        settings, sources = load({}, {"AMPLIFIER_HOME": str(home)})
        assert (settings.home, settings.theme, sources["home"]) == (home, "light", "environment")

    def test_what_is_not_given_or_empty_in_the_environment_does_not_count(self, home):
        settings, sources = load(
            {"AMPLIFIER_HOME": str(home), "WEBCHAT_PORT": None, "WEBCHAT_TITLE": None},
            {"WEBCHAT_PORT": "", "WEBCHAT_TITLE": "Ours"},
        )
        assert (settings.port, sources["port"]) == (8000, "default")
        assert (settings.title, sources["title"]) == ("Ours", "environment")

    def test_a_flag_may_empty_what_the_environment_sets(self, home):
        explicit = {"AMPLIFIER_HOME": str(home), "WEBCHAT_SYSTEM_PROMPT": ""}
        assert load(explicit, {"WEBCHAT_SYSTEM_PROMPT": "Rhyme."})[0].system_prompt == ""

    def test_only_what_the_page_may_save_is_taken_from_its_file(self, home):
        unsaved = {setting.name: "9" for setting in config.SETTINGS if not setting.saved}
        saved(home, **unsaved)
        assert load({"AMPLIFIER_HOME": str(home)}, {})[0] == config.Settings(home=home)

    def test_each_setting_has_one_flag_and_one_variable(self):
        for part in ("key", "flag"):
            assert len({getattr(setting, part) for setting in config.SETTINGS}) == len(config.SETTINGS)

    def test_each_value_has_its_type(self, home):
        given = {"WEBCHAT_PORT": "80", "WEBCHAT_MOCK_DELAY": "0", "WEBCHAT_READ_TIMEOUT": "2.5"}
        given |= {"WEBCHAT_ALLOW_HOST": " Chat.Example ,, other ", "WEBCHAT_MAX_STREAMS": "3"}
        settings, _ = load({"AMPLIFIER_HOME": str(home)}, given)
        assert (settings.port, settings.mock_delay, settings.read_timeout) == (80, 0.0, 2.5)
        assert (settings.allow_host, settings.max_streams) == (("chat.example", "other"), 3)


class TestBadValues:
    @pytest.mark.parametrize(
        ("key", "bad"),
        [
            ("WEBCHAT_PORT", ["abc", "-1", "65536", "80.5", " "]),
            ("WEBCHAT_READ_TIMEOUT", ["0", "-1", "inf", "nan", "soon"]),
            ("WEBCHAT_MOCK_DELAY", ["-0.1", "inf", "nan", ""]),
            ("WEBCHAT_MAX_STREAMS", ["0", "-5", "2.5", "many"]),
            ("WEBCHAT_THEME", ["purple", "Dark", ""]),
            ("WEBCHAT_CONTEXT", ["1", "511", "4k"]),
        ],
    )
    def test_a_bad_value_names_its_setting_and_itself(self, home, key, bad):
        for value in bad:
            with pytest.raises(InvalidInput) as problem:
                load({"AMPLIFIER_HOME": str(home), key: value}, {})
            assert key in str(problem.value)
            assert repr(value) in str(problem.value)

    def test_a_bad_value_in_the_environment_is_told_as_well(self, home):
        with pytest.raises(InvalidInput, match="WEBCHAT_PORT"):
            load({"AMPLIFIER_HOME": str(home)}, {"WEBCHAT_PORT": "x"})

    @pytest.mark.parametrize("value", ["purple", 5, None, ["dark"], {}, "\ud83d"])
    def test_a_bad_value_in_the_saved_file_keeps_nobody_from_starting(self, home, value):
        saved(home, theme=value, temperature="0.5")
        settings, sources = load({"AMPLIFIER_HOME": str(home)}, {})
        assert (settings.theme, sources["theme"]) == ("system", "default")
        assert (settings.temperature, sources["temperature"]) == (0.5, "file")

    def test_a_bad_value_that_is_not_used_is_no_problem(self, home):
        environ = {"AMPLIFIER_HOME": str(home), "WEBCHAT_THEME": "purple"}
        assert load({"WEBCHAT_THEME": "dark"}, environ)[0].theme == "dark"

    @pytest.mark.parametrize("name", ["api_key", "base_url"])
    def test_a_secret_stands_in_no_text(self, home, name):
        settings, _ = load({"AMPLIFIER_HOME": str(home), setting(name).key: SECRET}, {})
        assert getattr(settings, name) == SECRET
        assert SECRET not in repr(settings)
        assert SECRET not in str(settings)

    @pytest.mark.parametrize(("name", "bad"), [("database", f"mysql://me:{SECRET}@host/db"), ("header", SECRET)])
    def test_a_bad_secret_is_not_told(self, home, name, bad):
        with pytest.raises(InvalidInput) as problem:
            load({"AMPLIFIER_HOME": str(home)}, {setting(name).key: bad})
        assert str(problem.value).startswith(f"{setting(name).key} cannot be this value: ")
        assert SECRET not in str(problem.value)

    def test_a_saved_key_is_for_the_server_that_it_was_saved_for_alone(self, home):
        saved(home, api_key=SECRET, api_key_for="https://one.example/v1", base_url="https://one.example/v1")
        assert load({"AMPLIFIER_HOME": str(home)}, {})[0].api_key == SECRET
        elsewhere = {"AMPLIFIER_HOME": str(home), "WEBCHAT_BASE_URL": "https://two.example/v1"}
        settings, sources = load(elsewhere, {})
        assert (settings.api_key, sources["api_key"]) == ("", "default")
        assert load(elsewhere, {"WEBCHAT_API_KEY": "sk-mine"})[0].api_key == "sk-mine"

    def test_a_key_that_was_saved_before_its_address_was_noted_is_for_the_address_saved_beside_it(self, home):
        saved(home, api_key=SECRET, base_url="https://one.example/v1/")
        here = {"AMPLIFIER_HOME": str(home)}
        assert load(here, {})[0].api_key == SECRET
        assert load({**here, "WEBCHAT_BASE_URL": "https://one.example/v1"}, {})[0].api_key == SECRET
        assert load({**here, "WEBCHAT_BASE_URL": "https://two.example/v1"}, {})[0].api_key == ""
        assert load(here, {"WEBCHAT_BASE_URL": "https://two.example/v1"})[0].api_key == ""

    def test_headers_come_one_a_line(self, home):
        text = " X-Provider: openai \n\nX-Key: a: b"
        for given, environ in (({"WEBCHAT_HEADER": text}, {}), ({}, {"WEBCHAT_HEADER": text})):
            settings, _ = load({"AMPLIFIER_HOME": str(home), **given}, environ)
            assert settings.header == (("X-Provider", "openai"), ("X-Key", "a: b"))
            assert "openai" not in repr(settings)

    @pytest.mark.parametrize(
        "line", [SECRET, f"Bad name: {SECRET}", f": {SECRET}", f"X: {SECRET}\x00", f"Host: {SECRET}"]
    )
    def test_what_is_no_header_is_refused_and_not_shown(self, home, line):
        with pytest.raises(InvalidInput, match="WEBCHAT_HEADER cannot be this value") as problem:
            load({"AMPLIFIER_HOME": str(home), "WEBCHAT_HEADER": line}, {})
        assert SECRET not in str(problem.value)

    def test_saved_headers_are_for_the_server_that_they_were_saved_for_alone(self, home):
        saved(home, header=f"X: {SECRET}", header_for="https://one.example/v1", base_url="https://one.example/v1")
        assert load({"AMPLIFIER_HOME": str(home)}, {})[0].header == (("X", SECRET),)
        elsewhere = {"AMPLIFIER_HOME": str(home), "WEBCHAT_BASE_URL": "https://two.example/v1"}
        assert load(elsewhere, {})[0].header == ()

    @pytest.mark.parametrize("noted", [{}, {"api_key_for": None}, {"api_key_for": 7}, {"api_key_for": ""}])
    def test_a_key_whose_address_nobody_knows_goes_to_none(self, home, noted):
        saved(home, api_key=SECRET, **noted)
        elsewhere = {"AMPLIFIER_HOME": str(home), "WEBCHAT_BASE_URL": "https://two.example/v1"}
        assert load(elsewhere, {})[0].api_key == ""


class TestSaving:
    def test_what_was_saved_is_loaded(self, home):
        config.save(documents_of(home), {"theme": "dark"})
        assert load({"AMPLIFIER_HOME": str(home)}, {})[0].theme == "dark"
        assert settings_path(home).stat().st_mode & 0o777 == 0o600

    def test_unknown_keys_survive(self, home):
        saved(home, theme="dark", later={"a": ["ü"]})
        config.save(documents_of(home), {"theme": "light"})
        assert config.read_saved(documents_of(home)) == {"theme": "light", "later": {"a": ["ü"]}}

    def test_a_bad_value_is_not_saved(self, home):
        config.save(documents_of(home), {"theme": "dark"})
        with pytest.raises(InvalidInput, match="WEBCHAT_THEME"):
            config.save(documents_of(home), {"theme": "purple"})
        assert config.read_saved(documents_of(home)) == {"theme": "dark"}

    @pytest.mark.parametrize("content", [b"not json", b"[]", b"", b"\xff", b"5", b"[" * 100_000])
    def test_a_file_that_cannot_be_read_counts_as_empty_and_is_kept_aside_before_a_write(self, home, content):
        path = settings_path(home)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        assert load({"AMPLIFIER_HOME": str(home)}, {})[0].theme == "system"
        assert [at.name for at in path.parent.iterdir()] == [path.name]
        config.save(documents_of(home), {"theme": "dark"})
        assert config.read_saved(documents_of(home)) == {"theme": "dark"}
        assert [copy.read_bytes() for copy in path.parent.glob("*.corrupt-*")] == [content]

    def test_what_is_set_to_none_is_removed(self, home):
        config.save(documents_of(home), {"theme": "dark", "temperature": "1"})
        config.save(documents_of(home), {"theme": None})
        assert config.read_saved(documents_of(home)) == {"temperature": "1"}

    def test_what_is_in_the_way_is_told_and_stays(self, home):
        settings_path(home).mkdir(parents=True)
        with pytest.raises(OSError, match="directory"):
            config.save(documents_of(home), {"theme": "dark"})

    def test_a_tilde_is_the_persons_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        config.save(documents_of("~/chat"), {"theme": "dark"})
        assert load({"AMPLIFIER_HOME": "~/chat"}, {})[0].theme == "dark"
        assert (tmp_path / "chat" / "server").is_dir()
