"""A caller of the demo (`sluis demo --stay --dir DEMO`) over gRPC and mutual TLS: python3 client.py DEMO proto/"""
import json, subprocess, sys, tempfile  # noqa: E401
from pathlib import Path

import grpc

demo, proto = Path(sys.argv[1]), Path(sys.argv[2])
stubs = tempfile.TemporaryDirectory()  # the messages and services, compiled from proto/
files = [str(file) for file in proto.rglob("*.proto")]
subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", f"--python_out={stubs.name}",
                f"--grpc_python_out={stubs.name}", *files], check=True)
sys.path.insert(0, stubs.name)
from sluis.rijksregister.v1.person_service_pb2 import GetPersonRequest
from sluis.rijksregister.v1.person_service_pb2_grpc import PersonServiceStub

endpoints = json.loads((demo / "endpoints.json").read_text())
parties = {party["organisation"]: party for party in endpoints["clients"]}

def connect(party):
    ca, key, certificate = (Path(file).read_bytes() for file in (endpoints["ca"], party["key"], party["certificate"]))
    return grpc.secure_channel(endpoints["gateway"], grpc.ssl_channel_credentials(ca, key, certificate))

def login(party):
    return ("authorization", "Bearer " + subprocess.check_output(party["token"], text=True).strip())

city = parties["stad-leuven"]
grounds = [("sluis-protocol", "rr-leuven"), ("sluis-purpose", "parking-offender"), ("sluis-case", "PV-2026/000123")]
answer = PersonServiceStub(connect(city)).GetPerson(
    GetPersonRequest(insz="84631230189"), metadata=[login(city), *grounds], timeout=10)
print(answer.person)  # a name and an address, and nothing else: that is all that this purpose opens

# From here on: checks. What was released, refused, logged; and what the gateway says of its health.

from google.rpc import error_details_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status
from sluis.audit.v1 import audit_pb2
from sluis.audit.v1.audit_pb2_grpc import AuditServiceStub

SUBJECT = "84631230189"
SPOUSE = "86710230694"
DECLARED = {
    "parking-offender": {
        "name.last_names", "name.first_names", "main_residence.street_name", "main_residence.house_number",
        "main_residence.box_number", "main_residence.postal_code", "main_residence.municipality_name",
        "main_residence.country_name",
    },
}
DECLARED["attest"] = DECLARED["parking-offender"] | {
    "civil_states.code", "civil_states.description", "civil_states.valid_from", "reference_person.position",
}
failed = False


def check(what, holds, seen=""):
    """One line for each check."""
    global failed
    failed |= not holds
    print(f"{'ok' if holds else 'FAILED'}: {what}" + ("" if holds else f": {seen}"))


def beyond(granted, found):
    """Those of the found fields that are neither granted nor part of a message that is."""
    return {path for path in found if not any(f"{path}.".startswith(f"{grant}.") for grant in granted)}


def paths(message, prefix=""):
    """The fields of a message that have a value, by path."""
    for field, value in message.ListFields():
        if field.message_type is None:
            yield prefix + field.name
            continue
        # One message or a list of them; a map has no place here.
        for one in [value] if hasattr(value, "ListFields") else value:
            yield from paths(one, f"{prefix}{field.name}.")


def person(organisation, purpose, *more, insz=SUBJECT):
    """Asks about a person; gives the answer and the headers of the response."""
    party = parties[organisation]
    metadata = [login(party), ("sluis-protocol", "rr-leuven"), ("sluis-purpose", purpose), ("sluis-case", "PY-1"), *more]
    with connect(party) as channel:
        call = PersonServiceStub(channel).GetPerson.with_call
        message, call = call(GetPersonRequest(insz=insz), metadata=metadata, timeout=10)
        return message.person, dict(call.initial_metadata())


def refused(call):
    """The refusal of a call: status, google.rpc.ErrorInfo and headers."""
    try:
        call()
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            detail.Unpack(info)
        # A response without a message has its headers among the trailers.
        return error.code(), info, dict([*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())])
    return grpc.StatusCode.OK, error_details_pb2.ErrorInfo(), {}


def disclosures(organisation, **criteria):
    """What the log says, as the audit service gives it."""
    party = parties[organisation]
    with connect(party) as channel:
        request = audit_pb2.ListDisclosuresRequest(**criteria)
        return AuditServiceStub(channel).ListDisclosures(request, metadata=[login(party)], timeout=10)


def released():
    address = {"name.last_names", "main_residence.street_name.text", "main_residence.postal_code"}
    for organisation, purpose, insz, wanted in [
        ("stad-leuven", "parking-offender", SUBJECT, address),
        ("ocmw-leuven", "attest", SPOUSE, address | {"civil_states.code", "reference_person.position.code"}),
    ]:
        found, headers = person(organisation, purpose, insz=insz)
        has = set(paths(found))
        more = beyond(DECLARED[purpose], has)
        check(f"{purpose}: nothing undeclared", not more, more)
        check(f"{purpose}: what it opens is there", wanted <= has, has)
        check(f"{purpose}: the answer names its entry", headers["sluis-log-index"].isdigit(), headers)
    check("the name is the person's", list(found.name.last_names) == ["Claesen"], found.name)
    less, _ = person("stad-leuven", "parking-offender", ("sluis-fields", "person.name.last_names"))
    check("less is released where less is asked", set(paths(less)) == {"name.last_names"}, less)


def denied():
    wanted = ("sluis-fields", "person.name.last_names,person.civil_states.code")
    code, info, headers = refused(lambda: person("stad-leuven", "parking-offender", wanted))
    check("an undeclared field is refused", code is grpc.StatusCode.PERMISSION_DENIED, code)
    check("the reason is stable", (info.reason, info.domain) == ("FIELDS_NOT_COVERED", "sluis"), info)
    check("the field is named", info.metadata["field"] == "person.civil_states.code", info)
    check("the refusal names its entry", headers.get("sluis-log-index") == info.metadata["log_index"], info)
    code, info, _ = refused(lambda: person("stad-leuven", "marketing"))
    check("an unknown purpose is not found", (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "PURPOSE_UNKNOWN"), info)
    code, info, _ = refused(lambda: disclosures("stad-leuven", subject=SUBJECT))
    check("only auditors audit", (code, info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "AUDITOR_ONLY"), info)
    ca = grpc.ssl_channel_credentials(Path(endpoints["ca"]).read_bytes())
    with grpc.secure_channel(endpoints["gateway"], ca) as channel:
        code, _, _ = refused(lambda: HealthStub(channel).Check(HealthCheckRequest(), timeout=10))
    check("without a certificate there is no connection", code is grpc.StatusCode.UNAVAILABLE, code)


def audited():
    _, headers = person("stad-leuven", "parking-offender")
    index, kinds = int(headers["sluis-log-index"]), audit_pb2.Kind
    page = disclosures("audit-leuven", subject=SUBJECT, purpose="parking-offender", page_size=1000)
    entries = {entry.index: entry for entry in page.disclosures}
    entry = entries.get(index)
    check("the auditor finds the disclosure", entry is not None and entry.kind == kinds.KIND_RELEASED, sorted(entries))
    check("under the id that the caller saw", entry.entry_id == headers["sluis-entry-id"], entry.entry_id)
    fields = {field.removeprefix("person.") for field in entry.fields_released}
    check("with the fields that left", fields and fields <= DECLARED["parking-offender"], fields)
    check("after its question", entries[entry.asked].kind == kinds.KIND_ASKED and entry.asked < index, entry.asked)
    reads = disclosures("audit-leuven", kind=kinds.KIND_AUDIT_READ, page_size=1000)
    check("the auditor's own question is an entry", len(reads.disclosures) >= 1, reads)


def healthy():
    with connect(city) as channel:
        status = HealthStub(channel).Check(HealthCheckRequest(), timeout=10).status
    check("grpc.health.v1 says SERVING", status == HealthCheckResponse.SERVING, status)


for group in (released, denied, audited, healthy):
    group()
sys.exit(failed)
