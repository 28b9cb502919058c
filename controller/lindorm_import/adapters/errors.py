"""Foreign errors -> Trouble, in one place. What is not known here keeps its own words."""

import json
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pymysql
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError
from kubernetes.client.exceptions import ApiException
from pymysql.constants import CR
from urllib3.exceptions import HTTPError

from lindorm_import.domain.trouble import Trouble, TroubleError

T = TypeVar("T")

# What a call of boto3's may raise. A proxy's HTML page in place of AWS's answer is no BotoCoreError, nor is JSON that
# is nested too deep.
AWS_FAILURES = (ClientError, BotoCoreError, ResponseParserError, RecursionError)
# Of a list: with S3, 100,000 objects.
MOST_PAGES, PAGES_SECONDS = 100, 60.0

_POLICY_WORDS = 5120  # as long as a policy's message may be (Kubernetes: ValidatingAdmissionPolicy, messageExpression)

_AWS_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_AWS_THROTTLED = {"ThrottlingException", "Throttling", "RequestLimitExceeded", "SlowDown", "TooManyRequestsException"}
_AWS_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidAccessKeyId"}

# Lindorm's error numbers (https://help.aliyun.com/document_detail/360486.html); 1045, 1049 and 2003 are MySQL's.
_LINDORM = {
    1040: ("LindormBusy", "has too many connections; it will be retried"),
    1044: ("LindormAccessDenied", "refuses the user: check its privileges and the Secret"),
    1045: ("LindormAccessDenied", "refuses the user name or password: correct the Secret"),
    1049: ("UnknownDatabase", "has no such database: correct spec.source.url (the part after the port)"),
    1146: ("UnknownTable", "has no such table: correct spec.source.table, or create it; names are case-sensitive"),
    8005: ("UnknownTable", "has no such table: correct spec.source.table, or create it; names are case-sensitive"),
    2003: ("LindormUnreachable", "cannot be reached: check host, port 33060, the whitelist and the route to it"),
    2006: ("LindormUnreachable", "closed the connection; it will be retried"),
    2013: ("LindormUnreachable", "went away, or was too slow, in the middle of an answer; it will be retried"),
    2026: ("LindormWithoutTls", "offers no TLS: switch it on in Lindorm's console, or change spec.source.tls.mode"),
    3024: ("LindormTimeout", "did not answer in time; it will be retried"),
    8008: ("LindormBusy", "is at its resource limit; it will be retried"),
}


def aws_trouble(error: Exception, doing: str, bucket: str | None = None) -> Trouble:
    """doing: 'dynamodb:CreateTable on table readings'; bucket: whose name is everybody's to give, so that a refusal may
    mean another owner (bucket_owner.py)."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "Unknown")
        text = error.response.get("Error", {}).get("Message", "")
        if code in _AWS_DENIED and bucket:
            return Trouble(
                "AwsAccessDenied",
                f"bucket {bucket} belongs to somebody else, or it is not allowed: {doing}. Name a bucket of the "
                f"controller's own account, or add the permission to the controller's role. {text}",
            )
        if code == "BucketAlreadyExists":
            return Trouble(
                "BucketTaken",
                f"bucket {bucket} belongs to somebody else (names of buckets are one for all of AWS): name another in "
                f"staging.bucket. {text}",
            )
        if code in _AWS_DENIED:
            return Trouble(
                "AwsAccessDenied", f"not allowed: {doing}. Add the permission to the controller's role. {text}"
            )
        if code in _AWS_THROTTLED:
            return Trouble("AwsThrottled", f"AWS throttles {doing}; it will be retried")
        if code in _AWS_EXPIRED:
            return Trouble(
                "AwsCredentials", f"AWS refuses the controller's credentials ({code}) for {doing}: renew them"
            )
        return Trouble("AwsError", f"{doing} failed: {code}: {text}")
    if isinstance(error, NoCredentialsError):
        return Trouble("AwsCredentials", f"no AWS credentials for {doing}: give the service account a role")
    return Trouble("AwsUnreachable", f"{doing} failed: {error}. Check the network and the region")


@contextmanager
def aws_errors(doing: str, bucket: str | None = None) -> Iterator[None]:
    """Turns boto3's errors into TroubleError; bucket as for aws_trouble."""
    try:
        yield
    except AWS_FAILURES as error:
        raise TroubleError(aws_trouble(error, doing, bucket)) from error


def first_pages(pages: Iterable[T], what: str) -> Iterator[T]:
    """The pages of a list, which must come to an end. Raises TroubleError."""
    until = time.monotonic() + PAGES_SECONDS
    for number, page in enumerate(pages):
        if number == MOST_PAGES or time.monotonic() > until:
            message = (
                f"{what} does not end within {MOST_PAGES} pages and {PAGES_SECONDS:.0f} s: remove what is not needed"
            )
            raise TroubleError(Trouble("TooManyEntries", message))
        yield page


def aws_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def policy_words(error: ApiException) -> str | None:
    """What a ValidatingAdmissionPolicy says, without its envelope; None where it is RBAC that refuses."""
    try:
        message = str(json.loads(error.body or "{}").get("message"))
    except (ValueError, AttributeError, RecursionError):
        return None
    _, found, words = message.partition(" denied request: ")
    return words[:_POLICY_WORDS] if found else None


@contextmanager
def kube_errors(doing: str) -> Iterator[None]:
    """Turns the Kubernetes client's errors into TroubleError. 404 must be caught before by who expects it."""
    try:
        yield
    except ApiException as error:
        text = (error.body or error.reason or "")[:500]
        if error.status == 403 and (policy := policy_words(error)):
            trouble = Trouble(
                "KubernetesForbidden", f"cannot {doing}: an admission policy of the cluster refuses: {policy}"
            )
        elif error.status == 403:
            trouble = Trouble("KubernetesForbidden", f"not allowed to {doing}: check the controller's RBAC. {text}")
        else:
            trouble = Trouble("KubernetesError", f"cannot {doing}: HTTP {error.status}: {text}")
        raise TroubleError(trouble) from error
    except HTTPError as error:
        raise TroubleError(
            Trouble("KubernetesUnreachable", f"cannot {doing}: the API server does not answer ({type(error).__name__})")
        ) from error
    except (ValueError, RecursionError) as error:
        raise TroubleError(Trouble("KubernetesError", f"cannot {doing}: the answer is no JSON document")) from error


class TooMuchError(pymysql.err.OperationalError):
    """The other end sends more than was asked for."""


class AuthPluginRefusedError(pymysql.err.OperationalError):
    """The other end asks for the password in a way in which it is not given; args[1]: the plugin's name."""


_WORDS = 500  # of what a server says, in a condition
_MYSQL_ENDPOINT = "check that host and port are those of Lindorm's MySQL endpoint (33060)"


@contextmanager
def lindorm_errors(where: str) -> Iterator[None]:
    """Turns PyMySQL's errors into TroubleError. where: 'Lindorm at host:33060, table readings,'."""
    try:
        yield
    except pymysql.err.MySQLError as error:
        raise TroubleError(_lindorm_trouble(error, where)) from error
    except (OSError, EOFError) as error:
        raise TroubleError(
            Trouble("LindormUnreachable", f"{where} cannot be reached: {error}. Check host, port and whitelist")
        ) from error


def _lindorm_trouble(error: pymysql.err.MySQLError, where: str) -> Trouble:
    refused = getattr(error, "original_exception", None)
    if isinstance(refused, ssl.SSLCertVerificationError):
        return Trouble(
            "LindormNotTrusted",
            f"{where} could not be verified: {refused.verify_message}. Put the certificate of its CA, as PEM, "
            "under ca.crt into the Secret; with mode VerifyIdentity, the certificate must name the host of the url",
        )
    number = _number(error)
    words = str(error.args[1] if len(error.args) > 1 else error)[:_WORDS]
    if number is None or isinstance(error, TooMuchError):
        return Trouble("LindormUnreadable", f"{where} does not answer as Lindorm would: {words}; {_MYSQL_ENDPOINT}")
    reason, advice = _LINDORM.get(number, ("LindormError", "answers with an error"))
    return Trouble(reason, f"{where} {advice}. It says: {number} {words}")


def _number(error: BaseException | None) -> int | None:
    args = error.args if isinstance(error, pymysql.err.MySQLError) else ()
    return args[0] if args and isinstance(args[0], int) else None


def lindorm_number(error: TroubleError) -> int | None:
    """The number that Lindorm itself gave to an error; None where the answer, or the connection, was at fault."""
    number = _number(error.__cause__)
    return None if number is None or CR.CR_ERROR_FIRST <= number <= CR.CR_ERROR_LAST else number


@contextmanager
def lindorm_answers(where: str) -> Iterator[None]:
    """Turns what PyMySQL makes of an answer that no server of MySQL's protocol gives into TroubleError.

    That is whatever its code runs into on bytes that it does not expect (IndexError, UnboundLocalError, …): there is no
    list of it. So this stands around its calls and the reading of values, and around nothing else.
    """
    try:
        yield
    except (TroubleError, pymysql.err.MySQLError, OSError, EOFError):
        raise  # lindorm_errors'
    except Exception as error:
        kind = f"{type(error).__name__}: {error}"[:_WORDS]
        raise TroubleError(
            Trouble("LindormUnreadable", f"{where} does not answer as Lindorm would ({kind}); {_MYSQL_ENDPOINT}")
        ) from error


# No answer, or one of another shape than Flink's (a proxy's, a cluster's that is just starting).
FLINK_ERRORS = (HTTPError, OSError, ValueError)
