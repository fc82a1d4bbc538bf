"""Clients that other people wrote, with nothing changed but the endpoint: the toolbox, curl, Go, Node."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from emulator_requests import name, pdf, request

from docdask.service.emulator import EmulatorConfig
from docdask.testing import running_emulator


def test_the_toolbox_opens_an_answer_and_a_batch(emulator, monkeypatch):
    from google.cloud import documentai_v1 as documentai
    from google.cloud.documentai_toolbox import document as toolbox
    from google.cloud.documentai_toolbox import gcs_utilities

    client = emulator.documentai_client()
    reply = client.process_document(request=request(pdf(2), processor="form"))
    wrapped = toolbox.Document.from_documentai_document(reply.document)
    assert [page.text.splitlines()[0] for page in wrapped.pages] == ["Page 1", "Page 2"]
    assert wrapped.pages[0].lines[0].text == "Page 1\n"
    assert wrapped.pages[0].form_fields[0].field_name == "Total:"
    assert "<div class='ocr_page'" in wrapped.export_hocr_str("title")

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.http_url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "emulator")
    storage = emulator.storage_client()
    storage.create_bucket("output-bucket")
    storage.create_bucket("input-bucket").blob("in/long.pdf").upload_from_string(pdf(23), "application/pdf")
    monkeypatch.setattr(gcs_utilities, "_get_storage_client", lambda **_: storage)
    (batch,) = gcs_utilities.create_batches(gcs_bucket_name="input-bucket", gcs_prefix="in/")
    operation = client.batch_process_documents(
        request=documentai.BatchProcessRequest(
            name=name(),
            input_documents=batch,
            document_output_config={"gcs_output_config": {"gcs_uri": "gs://output-bucket/out"}},
        )
    )
    operation.result(timeout=60)
    (merged,) = toolbox.Document.from_batch_process_metadata(metadata=operation.metadata)
    assert len(merged.shards) == 3
    assert [page.page_number for page in merged.pages] == list(range(1, 24))
    assert merged.text.count("Page ") == 23


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_sends_a_file_and_gets_an_error_body(emulator, tmp_path):
    body = tmp_path / "request.json"
    body.write_text(
        json.dumps(
            {"rawDocument": {"mimeType": "application/pdf", "content": base64.b64encode(pdf()).decode()}}
        )
    )
    url = f"{emulator.http_url}/v1/{name()}"
    command = ["curl", "-sS", "-H", "Authorization: Bearer x", "-H", "Content-Type: application/json"]
    good = subprocess.run(
        [*command, "-d", f"@{body}", f"{url}:process"], capture_output=True, check=True, timeout=30
    )
    assert json.loads(good.stdout)["document"]["text"].startswith("Page 1")
    bad = subprocess.run(
        [*command, "-d", "{}", "-w", "%{http_code}", f"{url}:process"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert bad.stdout.endswith(b"400")
    assert b'"status": "INVALID_ARGUMENT"' in bad.stdout


GO = """
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	documentai "cloud.google.com/go/documentai/apiv1"
	"cloud.google.com/go/documentai/apiv1/documentaipb"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	ctx := context.Background()
	conn, err := grpc.NewClient(os.Getenv("GRPC"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	client, err := documentai.NewDocumentProcessorClient(ctx, option.WithGRPCConn(conn))
	check(err)
	content, err := os.ReadFile(os.Getenv("FILE"))
	check(err)
	reply, err := client.ProcessDocument(ctx, &documentaipb.ProcessRequest{
		Name: os.Getenv("NAME"),
		Source: &documentaipb.ProcessRequest_RawDocument{
			RawDocument: &documentaipb.RawDocument{Content: content, MimeType: "application/pdf"}},
	})
	check(err)
	fmt.Println(len(reply.Document.Pages), reply.Document.Text[:6])
	_, err = client.GetProcessor(ctx, &documentaipb.GetProcessorRequest{Name: os.Getenv("NAME") + "x"})
	fmt.Println(err)
	store, err := storage.NewClient(ctx, option.WithoutAuthentication())
	check(err)
	check(store.Bucket("go-bucket").Create(ctx, "emulator", nil))
	writer := store.Bucket("go-bucket").Object("dir with space/ü+%25 file.bin").NewWriter(ctx)
	_, err = writer.Write(content)
	check(err)
	check(writer.Close())
	reader, err := store.Bucket("go-bucket").Object("dir with space/ü+%25 file.bin").NewReader(ctx)
	check(err)
	back, err := io.ReadAll(reader)
	check(err)
	fmt.Println(len(back) == len(content))
}
"""

NODE = """
const {DocumentProcessorServiceClient} = require('@google-cloud/documentai').v1;
const {Storage} = require('@google-cloud/storage');
const grpc = require('@grpc/grpc-js');
const fs = require('fs');
(async () => {
  const [host, port] = process.env.GRPC.split(':');
  const client = new DocumentProcessorServiceClient(
    {servicePath: host, apiEndpoint: host, port: Number(port), sslCreds: grpc.credentials.createInsecure(), projectId: 'emulator'});
  const content = fs.readFileSync(process.env.FILE);
  const [reply] = await client.processDocument({name: process.env.NAME, rawDocument: {content, mimeType: 'application/pdf'}});
  console.log(reply.document.pages.length, reply.document.text.slice(0, 6));
  await client.getProcessor({name: process.env.NAME + 'x'}).catch(error => console.log(error.code));
  const storage = new Storage({apiEndpoint: process.env.STORAGE_EMULATOR_HOST, projectId: 'emulator'});
  await storage.createBucket('node-bucket');
  const file = storage.bucket('node-bucket').file('dir with space/ü+%25 file.bin');
  await file.save(content);
  const [back] = await file.download();
  const [files] = await storage.bucket('node-bucket').getFiles({prefix: 'dir'});
  console.log(back.equals(content), files.length);
})().catch(error => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """An emulator and the environment that points a program at it."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "a.pdf").write_bytes(pdf(2))
    with running_emulator(EmulatorConfig(ocr="fast")) as emulator:
        yield {
            **os.environ, "GRPC": emulator.grpc_address, "STORAGE_EMULATOR_HOST": emulator.http_url,
            "NAME": name(), "FILE": str(folder / "a.pdf"), "GOOGLE_CLOUD_PROJECT": "emulator",
        }  # fmt: skip


def packages(variable, tool):
    """Folder with the client's packages installed, from an environment variable; the test is skipped without it."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    folder = os.environ.get(variable, "")
    if not folder:
        pytest.skip(
            f"{variable} names no folder with Google's packages for {tool} (docs/emulator.md says how to make one)"
        )
    return folder


@pytest.mark.slow
def test_the_go_clients(target):
    folder = packages("DOCDASK_GO_CLIENTS", "go")
    (Path(folder) / "main.go").write_text(GO)
    done = subprocess.run(
        ["go", "run", "."], cwd=folder, env=target, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.strip().splitlines()
    assert first == "2 Page 1"
    assert "code = NotFound" in second
    assert third == "true"


@pytest.mark.slow
def test_the_node_clients(target):
    folder = packages("DOCDASK_NODE_CLIENTS", "node")
    done = subprocess.run(
        ["node", "-e", NODE], cwd=folder, env=target, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 Page 1", "5", "true 1"]
