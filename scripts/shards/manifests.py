"""The files of scripts/deploy, read as those read them who use them."""

import json
import re
import subprocess

from support import DEPLOY, Missing

VERSIONS = ["1.31", "1.34", "1.37"]

# Values that a schema of types does not check.
KUBERNETES_ENUMS = {
    "completionMode": {"Indexed"},
    "podReplacementPolicy": {"Failed"},
    "action": {"FailJob", "FailIndex", "Ignore", "Count"},
    "operator": {"In", "NotIn"},
    "restartPolicy": {"Never"},
    "fsGroupChangePolicy": {"OnRootMismatch", "Always"},
}


def kubernetes(program):
    try:
        import kubernetes_validate
        import yaml
    except ImportError as missing:
        raise Missing(f"python: no module {missing.name}") from None
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    for version in VERSIONS:
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)
    claim, shards, merge = documents
    assert [document["kind"] for document in documents] == ["PersistentVolumeClaim", "Job", "Job"]
    for key, value in walk(documents):
        if key in KUBERNETES_ENUMS:
            assert value in KUBERNETES_ENUMS[key], f"{key}: {value}"

    spec = shards["spec"]
    of = spec["completions"]
    assert spec["parallelism"] == of and spec["completionMode"] == "Indexed"
    assert spec["backoffLimitPerIndex"] >= 1 and spec["podReplacementPolicy"] == "Failed"
    rules = {rule["action"]: rule.get("onExitCodes", {}).get("values") for rule in spec["podFailurePolicy"]["rules"]}
    assert rules == {"FailJob": [2, 3, 5], "FailIndex": [1], "Ignore": None}, rules
    assert merge["spec"]["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [1, 2, 3, 5, 130, 143]
    for job in (shards, merge):
        assert job["spec"]["suspend"] is True
        check_pod(job["spec"]["template"]["spec"], job["spec"]["podFailurePolicy"]["rules"], claim)

    run, join = (job["spec"]["template"]["spec"]["containers"][0] for job in (shards, merge))
    assert f"--shard=auto/{of}" in run["args"] and "--or-resume" in run["args"]
    out = next(arg for arg in run["args"] if arg.startswith("--out="))
    folders = [out.removeprefix("--out=").replace("$(JOB_COMPLETION_INDEX)", str(index)) for index in range(of)]
    assert join["args"][1:-1] == folders, "the merge has the folder of each shard"
    assert run["image"] == join["image"] and not run["image"].endswith(":latest")
    secrets = {entry["name"]: entry["valueFrom"]["secretKeyRef"]["key"] for entry in run["env"]}
    names = ("GHL_CLIENT_ID", "GHL_CLIENT_SECRET")
    assert secrets == {name: name for name in names} and "env" not in join
    parses(program, run["args"])
    parses(program, join["args"])


def check_pod(pod, rules, claim):
    assert pod["restartPolicy"] == "Never" and pod["automountServiceAccountToken"] is False
    identity, container = pod["securityContext"], pod["containers"][0]
    assert identity["runAsNonRoot"] is True and identity["runAsUser"] == 65532
    assert identity["seccompProfile"]["type"] == "RuntimeDefault"
    own = container["securityContext"]
    assert own["readOnlyRootFilesystem"] is True and own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    for rule in rules:
        if "onExitCodes" in rule:
            codes = rule["onExitCodes"]
            assert codes["containerName"] == container["name"] and codes["values"] == sorted(codes["values"])
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def aws_batch(program):
    try:
        import botocore.session
        from botocore.validate import ParamValidator
    except ImportError as missing:
        raise Missing(f"python: no module {missing.name}") from None
    file = json.loads((DEPLOY / "aws-batch.json").read_text())
    assert set(file) == {"comment", "definition", "shards", "merge"} and len(file["comment"]) <= 7
    model = botocore.session.get_session().get_service_model("batch")
    for part, operation in [("definition", "RegisterJobDefinition"), ("shards", "SubmitJob"), ("merge", "SubmitJob")]:
        shape = model.operation_model(operation).input_shape
        report = ParamValidator().validate(file[part], shape)
        assert not report.has_errors(), report.generate_report()
        enums(file[part], shape)
    definition, shards, merge = file["definition"], file["shards"], file["merge"]
    of = shards["arrayProperties"]["size"]
    retry = definition["retryStrategy"]["evaluateOnExit"]
    assert len(retry) <= 5 and retry[-1] == {"onReason": "*", "action": "EXIT"}, "what no rule names would be retried"
    assert {rule["onExitCode"] for rule in retry if "onExitCode" in rule} == {"4", "137", "143"}
    container = definition["containerProperties"]
    assert container["user"] == "65532:65532" and container["readonlyRootFilesystem"] is True
    assert {secret["name"] for secret in container["secrets"]} == {"GHL_CLIENT_ID", "GHL_CLIENT_SECRET"}
    shell, flag, line = shards["containerOverrides"]["command"]
    words = line.split()
    assert (shell, flag) == ("sh", "-c") and words[:2] == ["exec", "ghl-reconnect"], "signals reach the program"
    assert f"auto/{of}" in words
    out = words[words.index("--out") + 1]
    folders = [out.replace("$AWS_BATCH_JOB_ARRAY_INDEX", str(index)) for index in range(of)]
    assert merge["containerOverrides"]["command"][2:-1] == folders
    parses(program, words[2:])
    parses(program, merge["containerOverrides"]["command"][1:])


def enums(value, shape):
    """botocore checks types and names; the values of enums are checked here."""
    if shape.type_name == "structure":
        for name, member in value.items():
            enums(member, shape.members[name])
    elif shape.type_name == "list":
        for member in value:
            enums(member, shape.member)
    elif getattr(shape, "enum", None):
        assert value in shape.enum, f"{shape.name}: {value}"


def dockerfile(_program):
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    text = "\n".join(lines)
    bases = re.findall(r"^ARG \w+=(\S+)$", text, re.M)
    assert len(bases) == 2 and all(re.search(r":[\d.]+", base) for base in bases), "bases have versions"
    assert not re.search(r"secret|password|token|GHL_", text, re.I), "no secret in arguments or variables"
    last = text[text.rindex("\nFROM"):]
    assert "USER 65532:65532" in last and 'CMD ["ghl-reconnect"' in last
    assert "ADD " not in text and "sudo" not in text
    for line in re.findall(r"apt-get install.*", text):
        assert "--no-install-recommends" in line and "--yes" in line
    assert ("apt-get update" in text) == ("rm -rf /var/lib/apt/lists/*" in text)


def parses(program, arguments):
    """Whether the program takes these options. The files are not there: it says so, and not how it is used."""
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, env={"JOB_COMPLETION_INDEX": "0"})
    assert ran.returncode == 2 and "Usage:" not in ran.stderr and "unexpected" not in ran.stderr, ran.stderr


def walk(value, key=None):
    if isinstance(value, dict):
        for name, member in value.items():
            yield from walk(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from walk(member)
    else:
        yield key, value
