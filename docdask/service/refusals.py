"""Every way in which Google, its libraries or the way to it can fail, as data: how it is told, what it means, what to do.

Rules: within a status code the first rule that matches wins, and the last one of each code matches all; patterns look at
the service's words, the fields it names, and the reason of its ``ErrorInfo``; a sentence speaks to the person who runs
docdask. docs/errors.md is generated from :data:`RULES` by ``python -m docdask.service.errors``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from docdask.core.retry import RETRYABLE, Verdict

Scope = Literal["call", "document", "processor", "credentials", "client"]
LimitName = Literal["", "requests", "pages", "user", "batch"]

_ONLY_ATTEMPT = "tries again, paced"
_QUARANTINE = "quarantines the document; the run goes on"
_STOP = "stops the run; the same command resumes it"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to fail."""

    kind: str
    codes: tuple[str, ...]
    """Status codes under which it comes; none: docdask itself finds it."""
    patterns: tuple[re.Pattern[str], ...]
    """One of them is in the words; none: matches all. The first that is found fills the sentence."""
    verdict: Verdict
    scope: Scope
    says: str
    """What docdask says; groups of the pattern fill its braces."""
    remedy: str
    does: str
    """What docdask does about it."""
    google: str
    """What Google says, one real example."""
    limit: LimitName
    retry: bool


def _rule(
    kind: str, codes: str, pattern: str, verdict: Verdict, scope: Scope, says: str, remedy: str, does: str, google: str = "",
    *, limit: LimitName = "", retry: bool | None = None,
) -> Rule:  # fmt: skip
    return Rule(
        kind, tuple(codes.split()), tuple(re.compile(one) for one in pattern.split(" || ") if one), verdict, scope, says, remedy, does,
        google, limit, verdict in RETRYABLE if retry is None else retry,
    )  # fmt: skip


_QUOTA = "Quota exceeded for quota metric '{}' and limit '{}' of service 'documentai.googleapis.com' for consumer 'project_number:123456789'."
_ONLINE = "Number of online process document requests using document processor"
_PAGES = "Number of online process document pages (US)"
_BATCHES = "Number of concurrent batch process requests"
_RAISE = "ask for more quota in the console, add a place in another region, or let docdask wait"

RULES: tuple[Rule, ...] = (
    # RESOURCE_EXHAUSTED has three meanings
    _rule("message-too-large", "RESOURCE_EXHAUSTED", r"(?:[Rr]eceived|[Ss]ent) message larger than max \((?P<size>\d+) vs\. (?P<most>\d+)\)",
          "too-large", "client", "a message of {size} bytes does not pass a connection that takes {most}",
          "use docdask's own client, which takes messages of any size; the answer was billed", _STOP,
          "Received message larger than max (5218782 vs. 4194304)"),
    _rule("quota-batch", "RESOURCE_EXHAUSTED", r"concurrent.?batch|ConcurrentBatch", "quota", "call",
          "all batch operations that the project may have at once are running", _RAISE, "waits until one has ended", _QUOTA.format(_BATCHES, _BATCHES), limit="batch"),
    _rule("quota-pages", "RESOURCE_EXHAUSTED", r"process document pages|process_document_pages", "quota", "call",
          "the project's quota of pages a minute is spent", _RAISE, "holds the endpoint until there is quota, then tries again", _QUOTA.format(_PAGES, f"{_PAGES} per minute"), limit="pages"),
    _rule("quota-user", "RESOURCE_EXHAUSTED", r"'All requests'|default_requests|(?i:per ?user)", "quota", "call",
          "the user's quota of requests a minute, over all methods, is spent", _RAISE, "holds all calls until there is quota, then tries again", _QUOTA.format("All requests", "All requests per minute"), limit="user"),
    _rule("quota-requests", "RESOURCE_EXHAUSTED", r"process document requests|process_document_requests", "quota", "call",
          "the project's quota of online requests a minute is spent", _RAISE, "holds the endpoint until there is quota, then tries again", _QUOTA.format(_ONLINE, f"{_ONLINE} per minute"), limit="requests"),
    _rule("quota", "RESOURCE_EXHAUSTED", r"[Qq]uota|RATE_LIMIT_EXCEEDED", "quota", "call",
          "a quota of the project is spent; the service does not say which", _RAISE, "holds the endpoint until there is quota, then tries again", "Resource has been exhausted (e.g. check quota)."),
    _rule("capacity", "RESOURCE_EXHAUSTED", "", "capacity", "call",
          "the service has no capacity for the call now", "wait, or add a place in another region", "sends fewer calls at once, then tries again", "The model is overloaded. Please try again later."),
    # what is wrong with a document
    _rule("page-limit-imageless", "INVALID_ARGUMENT", r"pages in non-imageless mode exceed the limit: (?P<most>\d+) got (?P<pages>\d+)", "permanent", "document",
          "the call has {pages} pages, and {most} are allowed without imageless mode", "set imageless = true for the processor", _QUARANTINE,
          "Document pages in non-imageless mode exceed the limit: 15 got 30. Try using imageless mode to increase the limit to 30."),
    _rule("page-limit-selection", "INVALID_ARGUMENT", r"At most (?P<most>\d+) pages in one call", "permanent", "document",
          "the call selects more than {most} pages that do not begin with the first", "scan the document again: its number of pages is not what the plan was made with", _QUARANTINE,
          "At most 15 pages in one call please."),
    _rule("page-limit", "INVALID_ARGUMENT", r"pages exceed the limit: (?P<most>\d+) got (?P<pages>\d+) || PAGE_LIMIT_EXCEEDED", "permanent", "document",
          "the document has {pages} pages, and the processor takes {most}", "scan it again, so that the plan splits it; if that does not help, split it yourself or use a processor with a higher limit", _QUARANTINE,
          "Document pages exceed the limit: 30 got 316"),
    _rule("too-big", "INVALID_ARGUMENT PERMISSION_DENIED OUT_OF_RANGE", r"Document size \(\d+\) exceeds the limit: (?P<most>\d+) || payload size exceeds the limit: (?P<most>\d+)", "permanent", "document",
          "the file is too big: {most} bytes are allowed", "route it to the batch lane, which takes 1 GB, or split it", _QUARANTINE,
          "Request contains an invalid argument. raw_document.content: Document size (44381195) exceeds the limit: 41943040."),
    _rule("image-too-large", "INVALID_ARGUMENT", r"10k pixel limit|Input Document too large|[Ii]mage .*(?:too large|exceeds)", "permanent", "document",
          "the image has more pixels than Document AI takes (10,000 a side, 40 million in all)", "scan it at a lower resolution, or make it a PDF", _QUARANTINE,
          "Image width or height exceeds the 10k pixel limit"),
    _rule("wrong-type", "INVALID_ARGUMENT", r"Unsupported input file format|mime_type", "permanent", "document",
          "the processor does not take files of this type", "route the type to another processor (office files: the layout parser), or print it to PDF", _QUARANTINE,
          "Request contains an invalid argument. raw_document.mime_type: Unsupported input file format."),
    _rule("corrupt", "INVALID_ARGUMENT", r"PDF document could not be opened|is corrupted", "permanent", "document",
          "Document AI can't open the PDF: it is damaged, cut short or encrypted", "open it in another program and save or print it to a new PDF", _QUARANTINE,
          "PDF document could not be opened or is corrupted (possible reasons: corrupt document structure, damaged cross-reference table, truncated file, or unsupported encryption)."),
    _rule("encrypted", "INVALID_ARGUMENT", r"[Ee]ncrypted|[Pp]assword", "permanent", "document",
          "the PDF is encrypted", "give its password with --password, or several with --passwords FILE", _QUARANTINE,
          "The document is encrypted."),
    _rule("corrupt-image", "INVALID_ARGUMENT", r"Invalid image content", "permanent", "document",
          "Document AI can't read the image: it is damaged", "copy or scan it again from where it came from", _QUARANTINE,
          "Invalid image content"),
    _rule("empty", "INVALID_ARGUMENT", r"content is empty", "permanent", "document",
          "the file is empty", "copy it again from where it came from", _QUARANTINE,
          "Request contains an invalid argument. raw_document.content: Document content is empty."),
    _rule("page-out-of-range", "INVALID_ARGUMENT", r"Page out of range: document has (?P<pages>\d+) || Page numbers start at 1|individual_page_selector", "permanent", "document",
          "the call selects pages that the document does not have (it has {pages})", "scan it again: the plan was made for another version of the file", _QUARANTINE,
          "Request contains an invalid argument. process_options.individual_page_selector.pages: Page out of range: document has 3 pages."),
    _rule("source-unreadable", "INVALID_ARGUMENT NOT_FOUND PERMISSION_DENIED FAILED_PRECONDITION", r"Failed to (?:read|list) (?P<uri>gs://.+?): || Invalid Cloud Storage URI '(?P<uri>[^']*)' || gcs_uri", "permanent", "document",
          "Document AI can't read {uri}", "check that the object is there and that the account (and Document AI's service agent) has storage.objects.get on its bucket", _QUARANTINE,
          "Failed to read gs://bucket/missing.pdf: No such object: bucket/missing.pdf"),
    _rule("files-failed", "INVALID_ARGUMENT", r"Failed to process (?P<failed>\d+) document", "permanent", "call",
          "{failed} of the batch's files failed", "see the reason of each", "takes the good files; each bad one goes its own way", "Failed to process 2 document(s)."),
    _rule("all-files-failed", "INVALID_ARGUMENT", r"Failed to process all documents", "permanent", "call",
          "no file of the batch could be processed", "see the reason of each; if all have the same, give the account and Document AI's service agent access to the buckets", "takes each file's own reason",
          "Failed to process all documents. 3: Failed to process all documents."),
    # what is wrong with the request, and so with every other to the same processor
    _rule("wrong-location", "INVALID_ARGUMENT", r"Invalid location: '(?P<asked>[^']*)' must match the server deployment '(?P<is>[^']*)'", "permanent", "processor",
          "the processor is in {asked!r}, but the endpoint serves {is!r}", "name the processor with the location it was made in: projects/P/locations/LOCATION/processors/ID", _STOP,
          "Invalid location: 'eu' must match the server deployment 'us'"),
    _rule("unknown-field", "INVALID_ARGUMENT", r"Unknown name \"?(?P<field>[\w.]+)?", "permanent", "processor",
          "Document AI does not know the field {field!r} of the request", "take it out of the processor's options", _STOP,
          'Invalid JSON payload received. Unknown name "imageless" at \'process_options\': Cannot find field.'),
    _rule("bad-mask", "INVALID_ARGUMENT", r"[Ii]nvalid field mask path '(?P<path>[^']*)' || field_?[Mm]ask", "permanent", "processor",
          "Document AI does not take the field mask ({path!r})", "name only {{field}} or pages.{{field}} in field_mask", _STOP,
          "Request contains an invalid argument. field_mask: Invalid field mask path 'pages.tokens.layout'."),
    _rule("bad-labels", "INVALID_ARGUMENT", r"[Ll]abel", "permanent", "processor",
          "Document AI refuses the labels of the request", "use lower-case letters, digits, _ and -, 63 characters at most", _STOP,
          "Request contains an invalid argument. labels: Label keys and values can be no longer than 63 characters, lower case."),
    _rule("unsupported-option", "INVALID_ARGUMENT", r"(?P<option>\w+) is not supported by this processor || process_options", "permanent", "processor",
          "the processor does not take the option {option}", "take it out of the processor's options", _STOP,
          "Request contains an invalid argument. process_options.ocr_config: OcrConfig is not supported by this processor."),
    _rule("bad-name", "INVALID_ARGUMENT", r"Invalid resource name '(?P<name>[^']*)' || Invalid resource", "permanent", "processor",
          "{name!r} is no name of a processor", "write projects/PROJECT/locations/LOCATION/processors/ID", _STOP,
          "Request contains an invalid argument. name: Invalid resource name 'processors/1'."),
    _rule("too-many-files", "INVALID_ARGUMENT", r"Number of documents \((?P<files>\d+)\) exceeds the limit: (?P<most>\d+)", "permanent", "client",
          "the batch has {files} files, and {most} are allowed", "set limits = {{ batch_files = {most} }}", _STOP,
          "Number of documents (6000) exceeds the limit: 5000."),
    _rule("output-refused", "INVALID_ARGUMENT PERMISSION_DENIED NOT_FOUND", r"Failed to write to (?P<uri>gs://.+?): || output_config", "permanent", "processor",
          "Document AI can't write to {uri}", "give the account and Document AI's service agent storage.objects.create on the staging bucket", _STOP,
          "Failed to write to gs://bucket/out/1/0: The specified bucket does not exist."),
    _rule("invalid", "INVALID_ARGUMENT OUT_OF_RANGE ALREADY_EXISTS", "", "permanent", "document",
          "Document AI refuses the document: {words}", "if all documents are refused, look at the processor's options", _QUARANTINE, "Request contains an invalid argument."),
    # the processor, the project, the account
    _rule("processor-disabled", "FAILED_PRECONDITION", r"Processor (?P<name>\S+) is disabled || disabled", "permanent", "processor",
          "processor {name} is disabled", "enable it in the console, then give the same command again", _STOP,
          "Processor projects/p/locations/us/processors/1 is disabled."),
    _rule("version-undeployed", "FAILED_PRECONDITION", r"not deployed|[Uu]ndeployed", "permanent", "processor",
          "the processor version is not deployed", "deploy it in the console, or pin another version", _STOP,
          "Processor version projects/p/locations/us/processors/1/processorVersions/2 is not deployed."),
    _rule("precondition", "FAILED_PRECONDITION", "", "permanent", "processor",
          "the processor can't be called now: {words}", "look at it in the console", _STOP, "The processor is being created."),
    _rule("version-not-found", "NOT_FOUND", r"(?P<name>projects/\S+/processorVersions/\S+)", "permanent", "processor",
          "there is no processor version {name}", "leave the version away to call the default one, or take one that the console lists", _STOP,
          "Processor version projects/p/locations/us/processors/1/processorVersions/2 is not found."),
    _rule("processor-not-found", "NOT_FOUND", r"(?P<name>projects/\S+/processors/[^\s,]+)", "permanent", "processor",
          "there is no processor {name}", "check project, location and id; `docdask init` lists the processors of a project", _STOP,
          "Processor projects/p/locations/us/processors/1 is not found."),
    _rule("operation-not-found", "NOT_FOUND", r"(?P<name>projects/\S+/operations/[^\s,]+)", "permanent", "call",
          "the service does not know the operation {name} (any more)", "finished operations are kept for 30 days", "takes its results from the bucket, if they are there",
          "Operation projects/123456789/locations/us/operations/1 is not found."),
    _rule("bucket-not-found", "NOT_FOUND", r"bucket does not exist|No such bucket", "permanent", "processor",
          "the staging bucket does not exist", 'create it, or name another: staging = "gs://bucket/prefix"', _STOP, "The specified bucket does not exist."),
    _rule("object-not-found", "NOT_FOUND", r"No such object: (?P<name>.+) || (?i:object)", "permanent", "document",
          "the object {name} is not in the bucket", "put it back, or scan the sources again", _QUARANTINE, "No such object: bucket/name.pdf"),
    _rule("not-found", "NOT_FOUND", "", "permanent", "processor",
          "what was asked for is not there: {words}", "check project, location and processor", _STOP, "Requested entity was not found."),
    # Google gives the first of these the reason of an API that is switched off, in a project of its own.
    _rule("no-quota-project", "PERMISSION_DENIED", r"requires a quota project|end user credentials from the Google Cloud SDK", "permanent", "credentials",
          "the sign-in names no project that calls are counted for", "run `gcloud auth application-default set-quota-project PROJECT`", _STOP,
          "Your application is authenticating by using local Application Default Credentials. The documentai.googleapis.com API requires a quota project, which is not set by default. To learn how to set your quota project, see https://cloud.google.com/docs/authentication/adc-troubleshooting/user-creds ."),
    _rule("quota-project-denied", "PERMISSION_DENIED", r"required permission to use project (?P<project>[\w.:-]+\w) || USER_PROJECT_DENIED[^\0]*?consumer=projects/(?P<project>\S+)", "permanent", "credentials",
          "calls are to be counted for project {project}, and the account may not use it", "give it roles/serviceusage.serviceUsageConsumer there, or run `gcloud auth application-default set-quota-project PROJECT` for another", _STOP,
          "Caller does not have required permission to use project my-project. Grant the caller the roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission."),
    _rule("wrong-project", "PERMISSION_DENIED", r"[Pp]ermission denied on resource project \[?(?P<project>[\w.:-]+\w) || CONSUMER_INVALID[^\0]*?consumer=projects/(?P<project>\S+)", "permanent", "credentials",
          "there is no project {project}, or the account has no part in it", "check the project's id (the console shows it at the top, it is not the name) and who is signed in", _STOP,
          "Permission denied on resource project my-project."),
    _rule("project-suspended", "PERMISSION_DENIED", r"CONSUMER_SUSPENDED|has been suspended", "permanent", "credentials",
          "Google has suspended the project", "see the console's messages, or Google's support", _STOP,
          "Permission denied: Consumer 'projects/123456789' has been suspended."),
    _rule("scope-missing", "PERMISSION_DENIED", r"insufficient authentication scopes|ACCESS_TOKEN_SCOPE_INSUFFICIENT", "permanent", "credentials",
          "the sign-in is not for all of Google Cloud (its scopes lack cloud-platform)", "run `gcloud auth application-default login` without --scopes, or give the virtual machine the scope cloud-platform", _STOP,
          "Request had insufficient authentication scopes."),
    _rule("api-disabled", "PERMISSION_DENIED", r"SERVICE_DISABLED|has not been used in project", "permanent", "credentials",
          "Document AI is not switched on in the project", "gcloud services enable documentai.googleapis.com, wait a minute, give the same command again", _STOP,
          "Cloud Document AI API has not been used in project 123456789 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/documentai.googleapis.com/overview?project=123456789 then retry."),
    _rule("billing-disabled", "PERMISSION_DENIED FAILED_PRECONDITION", r"BILLING_DISABLED|requires billing|(?:absent|closed|delinquent) billing account|billing account .*is disabled", "permanent", "credentials",
          "the project has no billing account", "link one in the console, then give the same command again", _STOP,
          "This API method requires billing to be enabled. Please enable billing on project #123456789 by visiting https://console.developers.google.com/billing/enable?project=123456789 then retry."),
    _rule("perimeter", "PERMISSION_DENIED", r"VPC Service Controls|SECURITY_POLICY_VIOLATED", "permanent", "credentials",
          "a VPC service perimeter forbids the call", "call from inside the perimeter, or have your administrator add a rule", _STOP,
          "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: VPC Service Controls"),
    _rule("storage-permission", "PERMISSION_DENIED", r"does not have (?P<permission>storage\.[\w.]+) || (?P<permission>storage\.\w+\.\w+)", "permanent", "processor",
          "the account lacks {permission} on the bucket", "give it roles/storage.objectAdmin on the staging bucket, and objectViewer on buckets that are read in place", _STOP,
          "docdask@p.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage object."),
    _rule("permission", "PERMISSION_DENIED", r"Permission '(?P<permission>[^']+)' denied on resource '(?P<resource>[^']+)' || IAM_PERMISSION_DENIED(?=[^\0]*?\bpermission=(?P<permission>\S+))(?=[^\0]*?\bresource=(?P<resource>\S+))", "permanent", "processor",
          "the account lacks {permission} on {resource}", "give it roles/documentai.apiUser (roles/documentai.viewer to list and look up processors), and check the names", _STOP,
          "Permission 'documentai.processors.processOnline' denied on resource '//documentai.googleapis.com/projects/p/locations/us/processors/1' (or it may not exist)."),
    _rule("denied", "PERMISSION_DENIED", "", "permanent", "processor",
          "the account may not do this: {words}", "give it roles/documentai.apiUser in the project", _STOP, "The caller does not have permission"),
    # credentials
    _rule("key-missing", "UNAUTHENTICATED", r"File (?P<file>.+?) was not found || No such file or directory: '(?P<file>[^']+)'", "permanent", "credentials",
          "the key file {file} is not there", "set GOOGLE_APPLICATION_CREDENTIALS to a key file that exists, or unset it and run `gcloud auth application-default login`", _STOP,
          "File /home/me/key.json was not found."),
    _rule("key-wrong", "UNAUTHENTICATED", r"not a valid json|valid type|expected format|deserialize key|No key could be detected|Unable to load PEM|missing fields|Malformed|Expecting value|InvalidKey|Incorrect padding|Permission denied: '|Is a directory|codec can't decode|'\w+' object|KeyError|ASN\.1|Unable to acquire impersonated", "permanent", "credentials",
          "the credentials file can't be used: {words}", "download a new key for the service account, or run `gcloud auth application-default login`", _STOP,
          "File /home/me/key.json is not a valid json file."),
    _rule("no-credentials", "UNAUTHENTICATED", r"default credentials were not found|Could not automatically determine|missing required authentication|CREDENTIALS_MISSING", "permanent", "credentials",
          "nobody is signed in to Google Cloud on this machine", "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file", _STOP,
          "Your default credentials were not found. To set up Application Default Credentials, see https://cloud.google.com/docs/authentication/external/set-up-adc for more information."),
    _rule("key-refused", "UNAUTHENTICATED", r"Invalid JWT|invalid_client|account not found|deleted_client|unauthorized_client|disabled_client", "permanent", "credentials",
          "Google does not accept the key: it was deleted, or its service account is gone", "make a new key for the service account", _STOP,
          "('invalid_grant: Invalid JWT Signature.', {'error': 'invalid_grant', 'error_description': 'Invalid JWT Signature.'})"),
    _rule("expired", "UNAUTHENTICATED", r"invalid_grant|[Ee]xpired|[Rr]evoked|[Rr]eauth|invalid_rapt", "permanent", "credentials",
          "the sign-in to Google Cloud has expired or was revoked", "run `gcloud auth application-default login` again", _STOP,
          "('invalid_grant: Token has been expired or revoked.', {'error': 'invalid_grant', 'error_description': 'Token has been expired or revoked.'})"),
    _rule("auth-unreachable", "UNAUTHENTICATED", r"Max retries|[Cc]onnection|resolve|[Tt]imed? ?out|unreachable|Failed to retrieve|Compute Engine Metadata|SSLError", "capacity", "client",
          "Google's token server can't be reached", "check the network and the proxy (https_proxy)", "tries again; a run that has not begun stops",
          "HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded with url: /token"),
    _rule("unauthenticated", "UNAUTHENTICATED", "", "permanent", "credentials",
          "Google does not accept the credentials", "run `gcloud auth application-default login`, or make a new key for the service account", _STOP,
          "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."),
    # the way there and back
    _rule("dns", "UNAVAILABLE", r"(?:DNS resolution failed for|errors resolving) (?P<host>[\w.-]+) || [Dd]omain name not found|[Nn]ame (?:or service not known|resolution)|Could not resolve|nodename nor servname", "capacity", "client",
          "the name of the endpoint, {host}, can't be resolved", "check the network and the location's name", "tries again; a run that has not begun stops",
          "DNS resolution failed for us-documentai.googleapis.com:443: C-ares status is not ARES_SUCCESS"),
    _rule("tls", "UNAVAILABLE", r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|WRONG_VERSION_NUMBER|Ssl handshake failed|SSLCertVerification", "permanent", "client",
          "no secure connection can be made with the endpoint", "a proxy in between needs its certificate in GRPC_DEFAULT_SSL_ROOTS_FILE_PATH; an emulator needs DOCUMENTAI_EMULATOR_HOST", _STOP,
          "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:443: Ssl handshake failed (TSI_PROTOCOL_FAILURE): CERTIFICATE_VERIFY_FAILED"),
    _rule("no-connection", "UNAVAILABLE", r"failed to connect|[Cc]onnection refused|unreachable|No route to host|error code 7|Max retries exceeded", "capacity", "client",
          "the endpoint can't be reached", "check the network, the proxy and the firewall (port 443 of *-documentai.googleapis.com)", "tries again; a run that has not begun stops",
          "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:142.250.1.95:443: Connection refused"),
    _rule("reply-lost", "UNAVAILABLE INTERNAL UNKNOWN", r"[Ss]ocket closed|[Cc]onnection (?:reset|aborted|closed|dropped)|[Bb]roken pipe|GOAWAY|RST_STREAM|[Ss]tream removed|recvmsg|[Kk]eepalive|RemoteDisconnected|ChunkedEncoding|IncompleteRead|EOF", "lost", "call",
          "the connection broke before the answer came: nobody knows whether the call was billed", "", "tries again, and counts its pages as at risk", "Socket closed"),
    _rule("unavailable", "UNAVAILABLE", "", "capacity", "call",
          "the service is not available", "wait; https://status.cloud.google.com tells of outages", "sends fewer calls at once, leaves the endpoint alone for a while, tries again", "The service is currently unavailable."),
    _rule("deadline", "DEADLINE_EXCEEDED", "", "lost", "call",
          "no answer came in time: nobody knows whether the call was billed", "allow more time, or send fewer pages a call", "tries again, and counts its pages as at risk", "Deadline Exceeded"),
    _rule("operation-gave-up", "CANCELLED", r"24 hours|did not end within", "transient", "call",
          "the service gave the batch up: it did not end within 24 hours", "", "takes what was finished and submits the rest again", "The operation was cancelled: it did not end within 24 hours."),
    _rule("operation-cancelled", "CANCELLED", r"[Oo]peration was cancelled", "permanent", "call",
          "somebody cancelled the batch", "give the same command again to submit the rest", "takes what was finished; the rest stays undone", "Operation was cancelled.", retry=False),
    _rule("cancelled", "CANCELLED", "", "lost", "call",
          "the call was cancelled on its way: nobody knows whether it was billed", "", "tries again, and counts its pages as at risk", "Channel closed!"),
    _rule("internal", "INTERNAL ABORTED", "", "transient", "call", "the service failed", "", _ONLY_ATTEMPT, "Internal error encountered."),
    _rule("unimplemented", "UNIMPLEMENTED", "", "permanent", "processor",
          "the endpoint does not have this method", "check the endpoint: it is no Document AI, or an emulator without it", _STOP, "Method not found."),
    _rule("unknown", "UNKNOWN DATA_LOSS", "", "lost", "call",
          "the call failed for an unknown reason: {words}", "", "tries again, and counts its pages as at risk", "Unknown error"),
    # what docdask finds itself
    _rule("bad-answer", "", "", "lost", "call", "the answer is no Document ({words})", "", "tries again, and counts its pages as at risk"),
    _rule("closed", "", "", "unused", "client", "the client is closed", "make a new one", "does not call", retry=False),
    _rule("processor-type", "", "", "permanent", "processor", "{processor} is a {found}, not a {wanted}", 'write type = "{found}" for it, or name another processor', _STOP),
    _rule("no-version", "", "", "permanent", "processor", "processor {processor} has no version that could be called", "deploy one in the console, or name one", _STOP),
    _rule("shards-missing", "", "", "lost", "call", "the batch says that {uri} was processed, but its output is not in the bucket: {words}", "check that nothing deletes objects under the staging prefix", "counts its pages as at risk, and sends the file again"),
    _rule("shard-broken", "", "", "lost", "call", "a part of the output of {uri} can't be read: {words}", "", "counts its pages as at risk, and sends the file again"),
    _rule("no-status", "", "", "lost", "call", "the batch has ended without a word about {uri}", "", "counts its pages as at risk, and sends the file again"),
    _rule("operation-elsewhere", "", "", "unused", "processor", "the batch {operation} runs in {location}, where no processor is configured any more", "configure the place again until it has ended", _STOP, retry=False),
    _rule("operation-lost", "", "", "lost", "call", "the batch {operation} was handed in and can't be found again", "look for it in the console, in its location's operations", "stops; submits again only when told to", retry=False),
)  # fmt: skip


def rule(kind: str) -> Rule:
    """Rule by its kind."""
    return _BY_KIND[kind]


def find(code: str, words: str) -> tuple[Rule, dict[str, Any]]:
    """First rule that matches, and what its pattern's groups found.

    Parameters
    ----------
    code
        Canonical status name; one that no rule has is taken as ``UNKNOWN``.
    words
        All that was said: text, fields, reason.
    """
    for one in _BY_CODE.get(code, _BY_CODE["UNKNOWN"]):
        if not one.patterns:
            return one, {}
        for pattern in one.patterns:
            match = pattern.search(words)
            if match:
                return one, match.groupdict()
    raise AssertionError(code)  # the last rule of each code matches all


_BY_KIND = {one.kind: one for one in RULES}
_BY_CODE: dict[str, list[Rule]] = {}
for _one in RULES:
    for _code in _one.codes:
        _BY_CODE.setdefault(_code, []).append(_one)
