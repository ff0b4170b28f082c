/* python.exe: what the official one does, for a python311.dll that came without it. */
#include <windows.h>

typedef int (*Main)(int, wchar_t **);

int wmain(int count, wchar_t **words)
{
    HMODULE library = LoadLibraryW(L"python311.dll");
    return library ? ((Main)(void *)GetProcAddress(library, "Py_Main"))(count, words) : 99;
}
