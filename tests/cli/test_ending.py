"""Ctrl-C and its like: a command ends by them, whatever hangs in it and whichever thread hears of them."""

import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.posix  # by signals; Windows' Ctrl-C goes to a whole console

PATIENCE = 120  # seconds; what does not end here would not end at all

COMMAND = """
    import asyncio, os, signal, sys, threading, time
    from lorads_core.cli import ending, main
    from lorads_core.cli.commands import runs
    from lorads_core.cli.commands.panel import _until_interrupted

    def begun():
        print("begun", flush=True)

    def command(options, screen):
    {body}
        return 0

    runs.COMMANDS["runs"] = command
    sys.argv = ["lorads", "runs"]
    sys.exit(main.main())
"""

FOREVER = "threading.Event().wait()"


def run(body, *signals):
    """Run a command with this body, send it the signals once it has begun; return its exit code and standard error."""
    script = textwrap.dedent(COMMAND).format(body=textwrap.indent(textwrap.dedent(body), "    "))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        for each in signals:
            process.send_signal(each)
        try:
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return process.returncode, said


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_is_interrupted_and_says_so(sent):
    code, said = run(f"begun(); {FOREVER}", sent)
    assert code == 130
    assert said.startswith("error: interrupted; finished work is saved")
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_thread_that_hangs_does_not_keep_it_from_ending():
    code, said = run(f"threading.Thread(target=lambda: {FOREVER}).start(); begun(); {FOREVER}", signal.SIGINT)
    assert (code, said.count("interrupted")) == (130, 1)


@pytest.mark.slow
def test_what_swallows_the_interruption_does_not_keep_it_from_ending():
    body = """
        begun()
        while True:
            try:
                threading.Event().wait()
            except BaseException:
                pass
    """
    code, said = run(body, signal.SIGINT)
    assert (code, said.count("interrupted")) == (130, 1)


@pytest.mark.slow
def test_a_second_ctrl_c_while_it_cleans_up_is_no_traceback():
    body = """
        try:
            begun()
            threading.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait()
    """
    code, said = run(body, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_command_that_answers_ctrl_c_goes_on_and_the_next_one_ends_it():
    body = """
        try:
            begun()
            threading.Event().wait()
        except KeyboardInterrupt:
            ending.wait_longer()
            time.sleep(ending._SECONDS + 1)
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait()
    """
    assert run(body, signal.SIGINT)[0] == 130


@pytest.mark.slow
def test_a_loop_ends_by_a_signal_that_its_thread_does_not_hear_of():
    """It may come just before the loop polls, or to another thread: nothing wakes the poll then by itself."""
    body = """
        async def serve():
            threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)).start()
            begun()
            try:
                await asyncio.Event().wait()
            finally:
                print("in order", file=sys.stderr, flush=True)

        try:
            asyncio.run(_until_interrupted(serve()))
        except asyncio.CancelledError:
            pass
    """
    assert run(body) == (0, "in order\n")


@pytest.mark.slow
def test_a_loop_that_does_not_end_by_itself_is_ended():
    body = """
        async def serve():
            begun()
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        asyncio.run(_until_interrupted(serve()))
    """
    assert run(body, signal.SIGTERM) == (0, "")


@pytest.mark.slow
def test_what_a_shell_has_it_ignore_stays_ignored():
    body = "signal.pthread_kill(threading.get_ident(), signal.SIGINT); begun()"
    script = textwrap.dedent(COMMAND).format(body=f"    {body}")
    ignoring = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    assert subprocess.run([sys.executable, "-c", ignoring + script], check=False, timeout=PATIENCE).returncode == 0


def test_ctrl_c_while_the_command_is_being_loaded_is_one_line():
    program = """
        import builtins, sys
        from lorads_core.cli.main import main

        real = builtins.__import__

        def load(name, *rest):
            if name == "parser":
                builtins.__import__ = real
                raise KeyboardInterrupt
            return real(name, *rest)

        builtins.__import__ = load
        sys.argv = ["lorads", "libraries"]
        sys.exit(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130
    assert ended.stderr == "error: interrupted; finished work is saved.\n"
