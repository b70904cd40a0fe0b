"""Every path of a project, written once; relative to its root, with forward slashes."""

from __future__ import annotations

__all__ = [
    "BUILD",
    "BUNDLE_JSON",
    "CARDS",
    "CHAMPION",
    "CI_YAML",
    "COMPILED",
    "CONF",
    "CONFIG_YAML",
    "CONTRACT",
    "COST_YAML",
    "DATA",
    "DATA_DVC",
    "DEPLOYMENT",
    "DVC",
    "DVC_CACHE",
    "DVC_CONFIG",
    "DVC_CONFIG_LOCAL",
    "DVC_LOCK",
    "DVC_TMP",
    "DVC_YAML",
    "ENGINES",
    "EVALUATIONS",
    "EXPERIMENTS_YAML",
    "EXPERIMENT_YAMLS",
    "FEATURES",
    "FEATURE_STORE",
    "FEATURE_STORE_YAML",
    "FURROW",
    "GATES",
    "INGEST_PY",
    "INIT_BASE",
    "LOCK",
    "MANIFEST",
    "MANIFEST_JSON",
    "METRICS_JSON",
    "METRICS_PY",
    "METRICS_YAML",
    "MODELS",
    "MONITORS",
    "OWNERS_YAML",
    "PAUSES",
    "PIPELINE",
    "PREDICTIONS",
    "PREDICT_YAML",
    "PROBLEMS",
    "RECORD_JSON",
    "REGISTRY_DB",
    "REPLAY_YAML",
    "ROOT_CONFIG",
    "RUNS",
    "RUN_CONFIG",
    "SCHEMAS",
    "SCORE_YAML",
    "SCREENED",
    "SEARCHES",
    "SERVED",
    "SIMULATION",
    "SPINES",
    "TABLES",
    "TABLE_SQL",
    "TRAINING",
    "TRUST_YAML",
    "VALIDATED",
    "VALIDATION",
    "deployment_yaml",
    "evaluation",
    "experiment_yaml",
    "model",
    "pause_yaml",
    "predictions",
    "problem_yaml",
    "run",
    "run_file",
    "spine_sql",
    "table",
    "table_sql",
    "training_set",
]  # fmt: skip

CONF = "conf"
FEATURES = "features"
DATA = "data"
BUILD = "build"
BUNDLE_JSON = "bundle.json"
RUNS = "runs"
FURROW = ".furrow"
SCREENED = f"{FURROW}/screened.jsonl"
SIMULATION = f"{FURROW}/simulation/marked.json"

DATA_DVC = "data.dvc"
DVC_YAML = "dvc.yaml"
DVC_LOCK = "dvc.lock"
LOCK = "requirements.lock"

CONFIG_YAML = "conf/config.yaml"
EXPERIMENTS_YAML = "conf/experiments.yaml"
EXPERIMENT_YAMLS = "conf/experiment"
PROBLEMS = "conf/problem"
GATES = "conf/gate"
SEARCHES = "conf/search"
DEPLOYMENT = "conf/deployment"
MONITORS = "conf/monitor"
PAUSES = "conf/pause"
METRICS_YAML = "conf/metrics.yaml"
CONTRACT = "conf/data/contract.yaml"
CI_YAML = "conf/ci.yaml"
TRUST_YAML = "conf/trust.yaml"
COST_YAML = "conf/cost.yaml"
OWNERS_YAML = "conf/owners.yaml"
SCORE_YAML = "conf/score.yaml"
CARDS = "conf/card"
REPLAY_YAML = "conf/replay.yaml"
PREDICT_YAML = "conf/predict.yaml"
ENGINES = "conf/engine"

SCHEMAS = ".furrow/schema"
INIT_BASE = ".furrow/init.json"

MANIFEST = "features/manifest.json"
FEATURE_STORE = "features/feature_store.yaml"
TABLE_SQL = "features/tables"
SPINES = "features/spines"

TABLES = "build/tables"
TRAINING = "build/training"
MODELS = "build/models"
PREDICTIONS = "build/predictions"
SERVED = ".furrow/served"
EVALUATIONS = "build/evaluations"
VALIDATION = "build/validation.json"
REGISTRY_DB = "build/registry.db"

COMPILED = "runs/.compiled"
VALIDATED = "runs/.validated"
PIPELINE = "runs/pipeline.json"
CHAMPION = "runs/champion.json"
RECORD_JSON = "record.json"
METRICS_JSON = "metrics.json"
RUN_CONFIG = "config.yaml"
METRICS_PY = "pipelines/metrics.py"
INGEST_PY = "pipelines/ingest.py"
DVC_CACHE = ".dvc/cache"
DVC_TMP = ".dvc/tmp"
DVC_CONFIG_LOCAL = ".dvc/config.local"
DVC_CONFIG = ".dvc/config"
DVC = ".dvc"
ROOT_CONFIG = "config.yaml"
FEATURE_STORE_YAML = "feature_store.yaml"
MANIFEST_JSON = "manifest.json"


def problem_yaml(name: str) -> str:
    """Where a problem is declared."""
    return f"{PROBLEMS}/{name}.yaml"


def experiment_yaml(name: str) -> str:
    """Where an experiment is declared."""
    return f"{EXPERIMENT_YAMLS}/{name}.yaml"


def deployment_yaml(environment: str) -> str:
    """Which version an environment serves."""
    return f"{DEPLOYMENT}/{environment}.yaml"


def pause_yaml(what: str) -> str:
    """That something is paused: who did it, and why."""
    return f"{PAUSES}/{what}.yaml"


def spine_sql(name: str) -> str:
    """The SQL of a spine, where nobody says another place."""
    return f"{SPINES}/{name}.sql"


def table_sql(name: str) -> str:
    """The SQL of a feature table."""
    return f"{TABLE_SQL}/{name}.sql"


def table(name: str) -> str:
    """A feature table's rows."""
    return f"{TABLES}/{name}.parquet"


def training_set(problem: str, service: str) -> str:
    """The training set of a problem and a feature service."""
    return f"{TRAINING}/{problem}/{service}.parquet"


def model(experiment: str) -> str:
    """The folder of a trained model."""
    return f"{MODELS}/{experiment}"


def predictions(experiment: str) -> str:
    """What an experiment predicted for the rows that it was tested on."""
    return f"{PREDICTIONS}/{experiment}.parquet"


def evaluation(experiment: str) -> str:
    """What an evaluation found, with replicates."""
    return f"{EVALUATIONS}/{experiment}.json"


def run(experiment: str) -> str:
    """The folder of a run's record."""
    return f"{RUNS}/{experiment}"


def run_file(experiment: str, name: str) -> str:
    """A file of a run's record."""
    return f"{RUNS}/{experiment}/{name}"
