"""The engines under test, and a real standalone Spark cluster."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData"
"""Java that lives for a minute: no second compiler, and no threads that clean up."""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory) -> Iterator[str]:
    """A master and two workers on loopback; gives the master's address and stops them by their process ids."""
    if shutil.which("java") is None:
        if os.environ.get("CI"):
            pytest.fail("Java is missing: apt-get install openjdk-17-jre-headless")
        pytest.skip("Java is missing: apt-get install openjdk-17-jre-headless")
    pyspark = pytest.importorskip("pyspark") if not os.environ.get("CI") else __import__("pyspark")
    folder = tmp_path_factory.mktemp("spark")
    home = Path(pyspark.__file__).parent
    port, web, *others = free_ports(4)
    master = f"spark://127.0.0.1:{port}"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SPARK_")
    }
    environment |= {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_HOME": str(home),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": QUICK,
    }
    deploy = "org.apache.spark.deploy"
    common = ["--host", "127.0.0.1"]
    commands = [[f"{deploy}.master.Master", *common, "--port", str(port), "--webui-port", str(web)]]
    for i, other in enumerate(others):
        size = ["--cores", "1", "--memory", "700m", "--work-dir", str(folder / f"work{i}")]
        commands.append(
            [f"{deploy}.worker.Worker", *common, "--webui-port", str(other), *size, master]
        )
    started = []
    for i, command in enumerate(commands):
        log = (folder / f"{i}.log").open("w")
        script = [str(home / "bin" / "spark-class"), *command]
        started.append(
            subprocess.Popen(
                script, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        )
        log.close()
    try:
        wait_for_workers(web, len(others), folder)
        yield master
    finally:
        stop_session()
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for_workers(web: int, count: int, folder: Path) -> None:
    """Until the master's page says that the workers are there."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/json/", timeout=5) as answer:
                if answer.read().decode().count('"ALIVE"') >= count + 1:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.25)
    logs = "\n".join(file.read_text()[-2000:] for file in folder.glob("*.log"))
    pytest.fail(f"the cluster did not come up:\n{logs}")


def stop_session() -> None:
    """Stop the driver, and the gateway that it runs in."""
    from pyspark import SparkContext  # noqa: PLC0415 - an extra
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()
    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(30)
        SparkContext._gateway = None
        SparkContext._jvm = None


@pytest.fixture(scope="session")
def spark_settings() -> dict[str, str]:
    """What makes Spark small and keeps it on loopback."""
    return {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "700m",
        "spark.driver.extraJavaOptions": QUICK,
        "spark.executor.extraJavaOptions": QUICK,
        "spark.ui.enabled": "false",
        "spark.executor.memory": "600m",
        "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.shuffle.service.enabled": "false",
    }


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request) -> dict:
    """The settings of an offline store."""
    if request.param == "duckdb":
        return {"type": "furrow.ground.feast.offline.FurrowOfflineStore", "threads": 2}
    return {
        "type": "furrow.ground.feast.spark.FurrowSparkOfflineStore",
        "master": request.getfixturevalue("spark_cluster"),
        "spark": request.getfixturevalue("spark_settings"),
    }
