"""S3: the API's operations have other names than IAM's actions, and act on buckets or objects.

Source: Service Authorization Reference, Amazon S3; the permissions section of each operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from dynaguard.aws.arns import NAME_CHARS, Place, is_arn, is_made_of
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

# Operations on an object whose IAM action has another name.
_OBJECT_ACTIONS: Final = {
    "HeadObject": "GetObject",
    "SelectObjectContent": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
_VERSIONED: Final = frozenset(
    "GetObject DeleteObject GetObjectAcl PutObjectAcl GetObjectTagging PutObjectTagging "
    "DeleteObjectTagging GetObjectAttributes GetObjectTorrent GetObjectAnnotation "
    "PutObjectAnnotation DeleteObjectAnnotation ListObjectAnnotations".split()
)
_BUCKET_ACTIONS: Final = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    **{
        f"{verb}Bucket{kind}Configuration": f"{action}{kind}Configuration"
        for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
        for verb, action in (("Get", "Get"), ("Put", "Put"), ("Delete", "Put"))
    },
    **{
        f"ListBucket{kind}Configurations": f"Get{kind}Configuration"
        for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
    },
}
_EXPRESS: Final = frozenset({"CreateSession", "RenameObject", "ListDirectoryBuckets"})
_MAX_BUCKET_LENGTH: Final = 255
_COPIES: Final = frozenset({"CopyObject", "UploadPartCopy"})


def authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What a call of `s3` needs."""
    operation, params = call.operation, call.params
    if operation == "ListBuckets":
        yield Authorization("s3:ListAllMyBuckets", "*", params)
    elif operation == "DeleteObjects":
        yield from _delete_objects(params, place)
    elif operation in _COPIES:
        yield from _copy(params, place)
    elif "Key" in params and operation not in _EXPRESS:
        yield from _on_object(operation, params, place)
    elif operation in _EXPRESS:
        yield Authorization(f"s3express:{operation}", UNKNOWN_RUN, params)
    elif operation == "WriteGetObjectResponse":
        yield Authorization(f"s3-object-lambda:{operation}", UNKNOWN_RUN, params)
    else:
        action = f"s3:{_BUCKET_ACTIONS.get(operation, operation)}"
        yield Authorization(action, _bucket(place, params.get("Bucket")), params)
        if operation == "PutBucketReplication":
            yield _pass_role(params)


def _on_object(operation: str, params: Mapping[str, Any], place: Place) -> Iterator[Authorization]:
    """An operation on one object, and what its ACL and tags need."""
    action = _OBJECT_ACTIONS.get(operation, operation)
    if params.get("VersionId") and action in _VERSIONED:
        action = _versioned(action)
    resource = _object(place, params)
    yield Authorization(f"s3:{action}", resource, params)
    if operation in ("PutObject", "CreateMultipartUpload"):
        yield from _extras(params, resource)


def _versioned(action: str) -> str:
    """`GetObjectVersionTagging` for `GetObjectTagging`."""
    verb, _, rest = action.partition("Object")
    return f"{verb}ObjectVersion{rest}"


def _extras(params: Mapping[str, Any], resource: str) -> Iterator[Authorization]:
    """What an ACL and tags on a new object need."""
    if params.get("ACL") or any(name.startswith("Grant") for name in params):
        yield Authorization("s3:PutObjectAcl", resource, params)
    if params.get("Tagging"):
        yield Authorization("s3:PutObjectTagging", resource, params)


def _delete_objects(params: Mapping[str, Any], place: Place) -> Iterator[Authorization]:
    """One authorisation per key."""
    objects = params["Delete"]["Objects"]
    for entry in objects:
        action = "DeleteObjectVersion" if entry.get("VersionId") else "DeleteObject"
        resource = _object(place, {"Bucket": params.get("Bucket"), "Key": entry.get("Key")})
        yield Authorization(f"s3:{action}", resource, params)


def _copy(params: Mapping[str, Any], place: Place) -> Iterator[Authorization]:
    """Reading the source, writing the target, tags with it."""
    source = params.get("CopySource")
    is_version = False
    if isinstance(source, Mapping):
        is_version = bool(source.get("VersionId"))
        resource = _object(place, source)
    else:
        path, _, query = str(source).partition("?")
        is_version = query.startswith("versionId=")
        resource = _source_object(place, unquote(path).removeprefix("/"))
    action = "s3:GetObjectVersion" if is_version else "s3:GetObject"
    yield Authorization(action, resource, params)
    target = _object(place, params)
    yield Authorization("s3:PutObject", target, params)
    yield from _extras(params, target)
    if params.get("TaggingDirective") != "REPLACE" and "UploadId" not in params:
        # Tags are copied unless they are replaced.
        tagging = "s3:GetObjectVersionTagging" if is_version else "s3:GetObjectTagging"
        yield Authorization(tagging, resource, params)
        yield Authorization("s3:PutObjectTagging", target, params)


def _source_object(place: Place, path: str) -> str:
    """The ARN of a `CopySource`: `bucket/key`, or an access point's ARN with `/object/`."""
    if path.startswith("arn:"):
        return path
    bucket, _, key = path.partition("/")
    return _object(place, {"Bucket": bucket, "Key": key})


def _bucket(place: Place, bucket: Any) -> str:
    """The ARN of a bucket, or the access point's that stands for it."""
    if bucket is None:
        return "*"
    if is_arn(bucket):
        return str(bucket)
    if not is_made_of(bucket, NAME_CHARS, _MAX_BUCKET_LENGTH):
        return UNKNOWN_RUN
    return f"arn:{place.partition}:s3:::{bucket}"


def _object(place: Place, params: Mapping[str, Any]) -> str:
    """The ARN of an object."""
    bucket, key = params.get("Bucket"), params.get("Key")
    holder = UNKNOWN_RUN if bucket is None else _bucket(place, bucket)
    if holder == UNKNOWN_RUN or not isinstance(key, str) or not key:
        return UNKNOWN_RUN
    return f"{holder}/object/{key}" if is_arn(bucket) else f"{holder}/{key}"


def _pass_role(params: Mapping[str, Any]) -> Authorization:
    """The role that replication gets."""
    role = (params.get("ReplicationConfiguration") or {}).get("Role")
    resource = str(role) if is_arn(role, "iam") else UNKNOWN_RUN
    return Authorization("iam:PassRole", resource, params)
