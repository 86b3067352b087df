"""`trio-stream chat`: ask a language model, and see the answer as it comes.

`_options` is what was asked for and `_conversation` what is sent, `_turn` streams one answer,
`_show` is how it looks, `_mock` the scripted server that stands in for a provider.
"""

from ._chat import chat
from ._options import chat_options

__all__ = ["chat", "chat_options"]
