/* keep_libraries.c: linked into the GPU tests of sanitizer builds: shared libraries stay loaded to
 * the end. The Vulkan loader unloads drivers with their instance, and LeakSanitizer can only match
 * its suppressions (tests/lsan.supp) with libraries that are there when it reports. */
int dlclose(void *library);

__attribute__((visibility("default"))) int dlclose(void *library)
{
    (void)library;
    return 0;
}
