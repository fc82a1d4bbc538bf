"""``docdask init``: looks at what a project has at Document AI, and writes ``docdask.toml``.

Rules: nothing that it does is billed; nothing is created and no file is changed before somebody said yes, on the command
line or when asked; what is in the file already stays, comments and pinned versions too.
"""
