"""A message's attachments: text files and pictures, recognised by their content. Knows no session."""

from __future__ import annotations

from webchat.attachments.given import Attachments, Given, attachments, require_few
from webchat.attachments.pictures import NewPicture, media_type_of, new_picture

__all__ = ["Attachments", "Given", "NewPicture", "attachments", "media_type_of", "new_picture", "require_few"]
