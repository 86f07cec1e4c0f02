"""Contains all the data models used in inputs/outputs"""

from .budget_period import BudgetPeriod
from .error import Error
from .error_properties import ErrorProperties
from .error_slug import ErrorSlug
from .image_url import ImageUrl
from .imagine_request import ImagineRequest
from .key import Key
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
from .usage import Usage
from .usage_kind import UsageKind
from .usage_line import UsageLine
from .usage_of_day import UsageOfDay
from .usage_of_model import UsageOfModel
from .violation import Violation

__all__ = (
    "BudgetPeriod",
    "Error",
    "ErrorProperties",
    "ErrorSlug",
    "ImageUrl",
    "ImagineRequest",
    "Key",
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
    "Usage",
    "UsageKind",
    "UsageLine",
    "UsageOfDay",
    "UsageOfModel",
    "Violation",
)
