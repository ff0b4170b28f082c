@echo off
rem Runs LoRADS' command with the Python of the ComfyUI that this folder lies in: lorads.bat doctor
rem LORADS_PYTHON names another Python.
setlocal DisableDelayedExpansion
if defined LORADS_PYTHON goto run
for %%P in (
  "%~dp0.venv\Scripts\python.exe"
  "%~dp0..\..\..\python_embeded\python.exe"
  "%~dp0..\..\..\python_embedded\python.exe"
  "%~dp0..\..\.venv\Scripts\python.exe"
  "%~dp0..\..\venv\Scripts\python.exe"
) do if exist "%%~fP" set "LORADS_PYTHON=%%~fP" & goto run
where py >nul 2>nul && set "LORADS_PYTHON=py" && goto run
where python >nul 2>nul && set "LORADS_PYTHON=python" && goto run
echo error: No Python was found. Set LORADS_PYTHON to the python.exe of your ComfyUI. 1>&2
exit /b 1
:run
"%LORADS_PYTHON%" -s "%~dp0lorads.py" %*
exit /b
