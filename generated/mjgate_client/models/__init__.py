"""Contains all the data models used in inputs/outputs"""

from .error import Error
from .error_properties import ErrorProperties
from .error_slug import ErrorSlug
from .imagine_request import ImagineRequest
from .list_request import ListRequest
from .picture_action import PictureAction
from .reroll import Reroll
from .sheet_action import SheetAction
from .submit_properties import SubmitProperties
from .submit_result import SubmitResult
from .task import Task
from .task_action import TaskAction
from .task_properties import TaskProperties
from .task_status import TaskStatus
from .upscale_or_vary import UpscaleOrVary
from .violation import Violation

__all__ = (
    "Error",
    "ErrorProperties",
    "ErrorSlug",
    "ImagineRequest",
    "ListRequest",
    "PictureAction",
    "Reroll",
    "SheetAction",
    "SubmitProperties",
    "SubmitResult",
    "Task",
    "TaskAction",
    "TaskProperties",
    "TaskStatus",
    "UpscaleOrVary",
    "Violation",
)
