"""What is written for orchestrators: held against their own schemas, and against what the server takes."""

from __future__ import annotations

import json
from importlib.resources import files

import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from furrow.cli.serve import command
from furrow.serving.orchestrator_manifest import MANIFESTS, USER, ManifestSpec, manifest

SPEC = ManifestSpec("production", "https://example.com/team/shop.git#main", "shop:1", workers=3)


def documents() -> dict[str, dict]:
    return {one["kind"]: one for one in yaml.safe_load_all(manifest("kubernetes", SPEC))}


def test_kubernetes_takes_it():
    """By the schemas of a recent Kubernetes, strictly: no key that it doesn't know."""
    found = documents()
    assert set(found) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    version = kubernetes_validate.latest_version()
    for one in found.values():
        kubernetes_validate.validate(one, version, strict=True)
    broken = found["Deployment"]
    broken["spec"]["replcas"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_a_pod_is_nobody_and_writes_nothing_but_its_state():
    """Non-root, read-only, without capabilities; selectors select it; it has the time to drain."""
    found = documents()
    pod = found["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert pod["spec"]["securityContext"]["runAsUser"] == USER
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert found["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["spec"]["volumes"]}
    assert pod["spec"]["terminationGracePeriodSeconds"] > 25


def test_compose_takes_it():
    """By the schema of the Compose specification."""
    schema = json.loads(
        (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text()
    )
    value = yaml.safe_load(manifest("compose", SPEC))
    jsonschema.validate(value, schema)
    assert value["services"]["server"]["ports"] == ["127.0.0.1:8080:8080"]


@pytest.mark.parametrize("kind", ["kubernetes", "compose"])
def test_the_server_takes_the_command(kind):
    """What a container is told is what `furrow serve` takes."""
    if kind == "kubernetes":
        pod = documents()["Deployment"]["spec"]["template"]["spec"]
        told = pod["containers"][0]["args"]
    else:
        told = yaml.safe_load(manifest("compose", SPEC))["services"]["server"]["command"]
    assert told[0] == "serve"
    parsed = command.make_context("serve", told[1:]).params
    assert parsed["what"] == ("production",)
    assert (parsed["workers"], parsed["follow"]) == (3, SPEC.follow)


def test_sagemaker_s_environment_says_what_options_would(monkeypatch):
    """The image is started with `serve` alone: variables say the rest, by names that the command knows."""
    template = json.loads(manifest("sagemaker", SPEC))
    told = template["Resources"]["Model"]["Properties"]["PrimaryContainer"]["Environment"]
    known = {option.envvar for option in command.params}
    assert set(told) <= known
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    parsed = command.make_context("serve", []).params
    assert parsed["what"] == ("/opt/ml/model",)
    assert parsed["address"] == "0.0.0.0"
    assert parsed["no_tokens"] is True


def test_the_image_has_the_locked_packages():
    """With their hashes; it is nobody, and `serve` alone starts the server."""
    text = manifest("dockerfile", SPEC)
    assert "--require-hashes -r requirements.lock" in text
    assert f"USER {USER}" in text
    assert 'ENTRYPOINT ["furrow"]' in text


def test_each_kind_can_be_asked_for():
    [option] = [one for one in command.params if one.name == "manifest"]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(MANIFESTS)
