# SPDX-License-Identifier: Apache-2.0
"""The services every gRPC server is expected to have: health with Watch, and reflection in both its versions."""

import threading

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from harness import paths
from harness.grpc_stub import SECONDS, SERVICE, channel
from harness.wait import wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture(scope="module")
def connection(examples):
    with channel(examples.authority) as opened:
        yield opened


@pytest.mark.parametrize("service", ["", SERVICE, "grpc.health.v1.Health"])
def test_health_says_serving(connection, service):
    request = health_pb2.HealthCheckRequest(service=service)
    assert health_pb2_grpc.HealthStub(connection).Check(request, timeout=SECONDS).status == SERVING


def test_health_of_an_unknown_service_is_not_found(connection):
    stub = health_pb2_grpc.HealthStub(connection)
    request = health_pb2.HealthCheckRequest(service="no.such.Service")
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(request, timeout=SECONDS)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert next(iter(stub.Watch(request, timeout=SECONDS))).status == SERVICE_UNKNOWN


def test_a_watcher_is_told_when_the_server_drains(start_server):
    server = start_server(paths.EXAMPLE_MODELS)
    heard: list = []

    def watch() -> None:
        with channel(server.authority) as opened:
            try:
                for reply in health_pb2_grpc.HealthStub(opened).Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS):
                    heard.append(reply.status)
            except grpc.RpcError as error:
                heard.append(error.code())

    watcher = threading.Thread(target=watch)
    watcher.start()
    wait_until(lambda: heard == [SERVING], "the first answer to Watch")
    server.signal()
    watcher.join(SECONDS)
    assert heard == [SERVING, NOT_SERVING, grpc.StatusCode.UNAVAILABLE]
    assert server.wait() == 0


def test_reflection_lists_the_services_and_describes_their_methods(connection):
    database = ProtoReflectionDescriptorDatabase(connection)
    assert {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= set(
        database.get_services()
    )
    pool = DescriptorPool(database)
    methods = {method.name: method for method in pool.FindServiceByName(SERVICE).methods}
    assert {"ModelInfer", "ModelStreamInfer", "RepositoryIndex", "ServerLive"} <= set(methods)
    fields = {field.name: field.number for field in methods["ModelInfer"].input_type.fields}
    assert (fields["model_name"], fields["inputs"], fields["raw_input_contents"]) == (1, 5, 7)


def test_reflection_finds_files_by_symbol_and_says_what_it_does_not_know(connection):
    stub = reflection_pb2_grpc.ServerReflectionStub(connection)
    requests = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="inference.ModelInferRequest.InferInputTensor"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Symbol"),
        reflection_pb2.ServerReflectionRequest(file_by_filename="no_such_file.proto"),
    ]
    found, unknown_symbol, unknown_file = stub.ServerReflectionInfo(iter(requests), timeout=SECONDS)
    assert found.file_descriptor_response.file_descriptor_proto
    for reply in (unknown_symbol, unknown_file):
        assert reply.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_reflection_answers_under_its_newer_name_too(connection):
    call = connection.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    (reply,) = call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=SECONDS)
    assert SERVICE in {service.name for service in reply.list_services_response.service}
