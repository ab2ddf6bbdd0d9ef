"""Errors of the Graph itself, in the words Meta uses."""

from portero.graphapi.errors import GraphError

_SEE = "Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api"


def unknown_object(method: str, object_id: str) -> GraphError:
    """What Graph says of an id it does not know, or will not show."""
    message = (
        f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist, "
        f"cannot be loaded due to missing permissions, or does not support this operation. {_SEE}"
    )
    return GraphError(http=400, code=100, subcode=33, message=message, type="GraphMethodException")


def unknown_path(segments: tuple[str, ...]) -> GraphError:
    """What Graph says of an edge that nothing has."""
    path = "/" + "/".join(segments)
    return GraphError(http=400, code=2500, message=f"Unknown path components: {path}")


def unknown_field(name: str, node_type: str) -> GraphError:
    """What Graph says of a field, or of an edge to read, that the node lacks."""
    message = f"(#100) Tried accessing nonexisting field ({name}) on node type ({node_type})"
    return GraphError(http=400, code=100, message=message)
