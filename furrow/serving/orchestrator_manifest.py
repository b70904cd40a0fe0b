"""What an orchestrator needs to run the server.

For Kubernetes, Compose and SageMaker, and the image that they run.

Servers keep nothing that another one needs: features lie in Redis, versions come from Git and the
DVC remote, a log is a volume of its own. So replicas may come and go. Each runs as nobody, with a
root file system that it can't write; the tokens are a secret that is mounted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MANIFESTS", "ManifestSpec", "manifest"]

USER = 65532
"""Nobody in particular, as distroless images have it."""
HOME = "/srv/project"
STATE = f"{HOME}/.furrow"
TOKENS = "/run/secrets/furrow"
DRAIN = 30
"""Seconds before SIGKILL: a server lets running requests end in 25."""
WAITING = 8
"""Requests that wait for a slot, on average: from there on there are too few servers."""


@dataclass(frozen=True)
class ManifestSpec:
    """What is run.

    Attributes:
        environment: Such as "production".
        follow: ADDRESS#BRANCH, or REMOTE/BRANCH of the clone in the image.
        image: Of `dockerfile`.
        port: Where it listens.
        workers: Processes of a server: as many as it has processors.
        replicas: Servers, at least.
    """

    environment: str
    follow: str
    image: str
    port: int = 8080
    workers: int = 2
    replicas: int = 2

    @property
    def name(self) -> str:
        """Of all that is made."""
        return f"furrow-{self.environment.lower().replace('_', '-')}"

    @property
    def command(self) -> list[str]:
        """What a container runs."""
        # in a container
        told = ["--host", "0.0.0.0", "--port", str(self.port), "--workers", str(self.workers)]  # noqa: S104
        secret = ["--tokens", f"{TOKENS}/tokens"]
        return ["serve", self.environment, "--follow", self.follow, *told, *secret]


def manifest(kind: str, spec: ManifestSpec) -> str:
    """The text of a file.

    Args:
        kind: One of MANIFESTS.
        spec: What is run.
    """
    return MANIFESTS[kind](spec)


def _kubernetes(spec: ManifestSpec) -> str:
    """Deployment, Service, HorizontalPodAutoscaler and PodDisruptionBudget."""
    parts = [_deployment(spec), _service(spec), _autoscaler(spec), _budget(spec)]
    head = (
        f"# kubectl create secret generic {spec.name}-tokens --from-file=tokens=TOKENS\n"
        "# The autoscaler's furrow_waiting comes of /metrics, by a Prometheus adapter;"
        " without one\n"
        "# the processor alone counts.\n"
    )
    return head + "---\n".join(_yaml(one) for one in parts)


def _about(spec: ManifestSpec) -> dict[str, Any]:
    return {"name": spec.name, "labels": _labels(spec)}


def _labels(spec: ManifestSpec) -> dict[str, str]:
    return {"app.kubernetes.io/name": "furrow", "app.kubernetes.io/instance": spec.name}


def _deployment(spec: ManifestSpec) -> dict[str, Any]:
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(spec.port),
        "prometheus.io/path": "/metrics",
    }
    volumes = [
        {"name": "tokens", "secret": {"secretName": f"{spec.name}-tokens", "defaultMode": 0o440}},
        {"name": "state", "emptyDir": {"sizeLimit": "8Gi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
    ]
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": DRAIN,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec)],
        "volumes": volumes,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _about(spec),
        "spec": {
            "replicas": spec.replicas,
            "selector": {"matchLabels": _labels(spec)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": _labels(spec), "annotations": annotations},
                "spec": pod,
            },
        },
    }


def _container(spec: ManifestSpec) -> dict[str, Any]:
    def probe(path: str, **more: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5, **more}

    return {
        "name": "server",
        "image": spec.image,
        "args": spec.command,
        "ports": [{"name": "http", "containerPort": spec.port}],
        # a first version is brought before it is ready: five minutes at most
        "startupProbe": probe("/readyz", periodSeconds=2, failureThreshold=150),
        "readinessProbe": probe("/readyz", periodSeconds=1, failureThreshold=1),
        "livenessProbe": probe("/healthz", periodSeconds=10, failureThreshold=3),
        "resources": {
            "requests": {"cpu": str(spec.workers), "memory": f"{spec.workers}Gi"},
            "limits": {"memory": f"{2 * spec.workers}Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "env": [{"name": "OMP_WAIT_POLICY", "value": "passive"}],
        "volumeMounts": [
            {"name": "tokens", "mountPath": TOKENS, "readOnly": True},
            {"name": "state", "mountPath": STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
        ],
    }


def _service(spec: ManifestSpec) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _about(spec),
        "spec": {
            "selector": _labels(spec),
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def _autoscaler(spec: ManifestSpec) -> dict[str, Any]:
    waiting = {
        "type": "Pods",
        "pods": {
            "metric": {"name": "furrow_waiting"},
            "target": {"type": "AverageValue", "averageValue": str(WAITING)},
        },
    }
    busy = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _about(spec),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": spec.name},
            "minReplicas": spec.replicas,
            "maxReplicas": 10 * spec.replicas,
            "metrics": [busy, waiting],
        },
    }


def _budget(spec: ManifestSpec) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _about(spec),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels(spec)}},
    }


def _compose(spec: ManifestSpec) -> str:
    """One server on this machine, beside the Redis that features are read from."""
    check = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{spec.port}/readyz')"
    server = {
        "image": spec.image,
        "command": spec.command,
        "ports": [f"127.0.0.1:{spec.port}:{spec.port}"],
        "user": f"{USER}:{USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp"],  # noqa: S108 - of the container
        "volumes": [f"state:{STATE}", f"./tokens:{TOKENS}/tokens:ro"],
        "healthcheck": {
            "test": ["CMD", "python", "-c", check],
            "interval": "5s",
            "timeout": "5s",
            "start_period": "300s",
        },
        "stop_grace_period": f"{DRAIN}s",
        "restart": "unless-stopped",
    }
    return _yaml({"name": spec.name, "services": {"server": server}, "volumes": {"state": {}}})


def _sagemaker(spec: ManifestSpec) -> str:
    """A CloudFormation template: model, endpoint's config, endpoint.

    SageMaker starts the image with `serve` alone, and unpacks ModelDataUrl: the bundle, and beside
    it features/ with its manifest.
    """
    model = "/opt/ml/model"
    told = {
        "FURROW_SERVE_WHAT": model,
        "FURROW_SERVE_FEATURES": f"{model}/features",
        "FURROW_SERVE_HOST": "0.0.0.0",  # noqa: S104 - behind SageMaker, which asks for credentials
        "FURROW_SERVE_NO_TOKENS": "1",
        "FURROW_SERVE_WORKERS": str(spec.workers),
        "FURROW_SERVE_LOG": "/tmp/predictions",  # noqa: S108 - of the container
    }
    container = {"Image": spec.image, "ModelDataUrl": {"Ref": "ModelData"}, "Environment": told}
    variant = {
        "VariantName": "main",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InitialInstanceCount": spec.replicas,
        "InstanceType": {"Ref": "InstanceType"},
        "InitialVariantWeight": 1,
    }
    resources = {
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {"ExecutionRoleArn": {"Ref": "Role"}, "PrimaryContainer": container},
        },
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {"ProductionVariants": [variant]},
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": spec.name,
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            },
        },
    }
    parameters = {
        "Role": {"Type": "String"},
        "ModelData": {"Type": "String", "Description": "s3://BUCKET/model.tar.gz"},
        "InstanceType": {"Type": "String", "Default": "ml.m5.large"},
    }
    value = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": parameters,
        "Resources": resources,
    }
    return json.dumps(value, indent=2) + "\n"


def _dockerfile(spec: ManifestSpec) -> str:
    """The image: the locked packages, and the clone that it is built in."""
    del spec
    return f"""# docker build -t IMAGE -f Dockerfile .   (in a clone that is clean: git status)
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git libgomp1 openssh-client \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR {HOME}
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY --chown={USER}:{USER} . .
RUN python -m pip install --no-cache-dir --no-deps . && python -m compileall -q furrow
USER {USER}:{USER}
ENV HOME={STATE}/home OMP_WAIT_POLICY=passive PYTHONUNBUFFERED=1
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["furrow"]
CMD ["serve"]
"""


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=100)


MANIFESTS: dict[str, Callable[[ManifestSpec], str]] = {
    "kubernetes": _kubernetes,
    "compose": _compose,
    "sagemaker": _sagemaker,
    "dockerfile": _dockerfile,
}
"""What can be written, by the name of the orchestrator."""
