"""The script that most people would write: batch operations, five at a time, the toolbox, DuckDB. Kept as one would write it.

Usage: python -m benchmarks._script FOLDER BUCKET PROCESSOR DATABASE. The endpoints come from the environment, as in any script
that is led to an emulator; nothing else of it is special.
"""

import os
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

import duckdb
import grpc
from google.cloud import documentai, storage
from google.cloud.documentai_toolbox import document as toolbox

FOLDER, BUCKET, PROCESSOR, DATABASE = pathlib.Path(sys.argv[1]), *sys.argv[2:5]
FILES_A_BATCH = 20
TYPES = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff"}

service = documentai.DocumentProcessorServiceClient
channel = grpc.insecure_channel(os.environ["DOCUMENTAI_EMULATOR_HOST"])
client = service(transport=service.get_transport_class("grpc")(channel=channel))
bucket = storage.Client(project="bench").bucket(BUCKET)


def process(number, files):
    documents = []
    for file in files:
        bucket.blob(f"in/{file.name}").upload_from_filename(file)
        documents.append({"gcs_uri": f"gs://{BUCKET}/in/{file.name}", "mime_type": TYPES[file.suffix]})
    request = documentai.BatchProcessRequest(
        name=PROCESSOR,
        input_documents={"gcs_documents": {"documents": documents}},
        document_output_config={"gcs_output_config": {"gcs_uri": f"gs://{BUCKET}/out/{number}/"}},
    )
    operation = client.batch_process_documents(request)
    operation.result(timeout=3600)
    metadata = documentai.BatchProcessMetadata(operation.metadata)
    rows = []
    for status in metadata.individual_process_statuses:
        prefix = status.output_gcs_destination.removeprefix(f"gs://{BUCKET}/")
        document = toolbox.Document.from_gcs(BUCKET, prefix.rstrip("/") + "/")
        rows += [
            (status.input_gcs_source, page.page_number, line.text)
            for page in document.pages
            for line in page.lines
        ]
    return rows


files = sorted(file for file in FOLDER.iterdir() if file.suffix in TYPES)
batches = [files[start : start + FILES_A_BATCH] for start in range(0, len(files), FILES_A_BATCH)]
database = duckdb.connect(DATABASE)
database.execute("CREATE TABLE IF NOT EXISTS lines (uri VARCHAR, page INTEGER, text VARCHAR)")
with ThreadPoolExecutor(5) as pool:
    for rows in pool.map(process, range(len(batches)), batches):
        database.executemany("INSERT INTO lines VALUES (?, ?, ?)", rows)
