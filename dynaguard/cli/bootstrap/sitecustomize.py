"""Installs dynaguard before a program's own code; put on PYTHONPATH by `dynaguard run`.

Python only prints what a `sitecustomize` raises and goes on, so a failure in mode `enforce` must
end the process itself. Nothing is imported at module level that could fail unseen.
"""


def _install() -> None:
    """Installs; ends the process with exit code 2 where that fails in mode `enforce`."""
    import os
    import sys

    try:
        import dynaguard

        dynaguard.install()
    except BaseException as err:  # noqa: BLE001 - whatever it is, the program must not start
        for line in (str(err) or type(err).__name__).splitlines():
            sys.stderr.write(f"dynaguard: error: {line}\n")
        if os.environ.get("DYNAGUARD_MODE", "").strip().lower() in ("observe", "off"):
            sys.stderr.write("dynaguard: going on unguarded, since the mode is not `enforce`\n")
            return
        sys.stderr.write("dynaguard: the program was not started\n")
        sys.stderr.flush()
        os._exit(2)


def _chain() -> None:
    """Runs the `sitecustomize` that this one stands in front of, if there is one."""
    import importlib.machinery
    import importlib.util
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - start-up stays light
    others = [path for path in sys.path if os.path.abspath(path or ".") != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_install()
_chain()
