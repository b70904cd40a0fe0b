"""Where options of conf/ come from: the project's own first, Furrow's where it has none of that name."""

from pathlib import Path

from hydra import compose
from omegaconf import OmegaConf

from furrow.ground.conf_search import DEFAULTS, is_group, opened


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_own_options_stand_before_furrows(tmp_path: Path) -> None:
    """A model of the project replaces Furrow's of the same name; another name comes from Furrow."""
    conf = tmp_path / "conf"
    write(conf / "config.yaml", "defaults: [_self_, {model: ridge}]\n")
    write(conf / "model/ridge.yaml", "alpha: 41\n")
    with opened(conf):
        assert compose("config").model == {"alpha": 41}
        theirs = compose("config", overrides=["model=gbm"]).model
    assert theirs == OmegaConf.load(DEFAULTS / "model/gbm.yaml").model


def test_a_group_is_a_folder_of_either(tmp_path: Path) -> None:
    """`model` comes with Furrow, `weather` with the project; a file is no group."""
    conf = tmp_path / "conf"
    write(conf / "weather/wet.yaml", "{}\n")
    write(conf / "lonely.yaml", "{}\n")
    assert is_group(conf, "model")
    assert is_group(conf, "weather")
    assert not is_group(conf, "lonely.yaml")
    assert not is_group(conf, "lonely")
