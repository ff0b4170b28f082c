/* bcryptprimitives.dll: wine 8 has none, and programs in Rust (tokenizers) take their random numbers from it. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom of advapi32 */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count)
{
    while (count) {
        ULONG some = count > 65536 ? 65536 : (ULONG)count;
        SystemFunction036(bytes, some);
        bytes += some;
        count -= some;
    }
    return TRUE;
}
