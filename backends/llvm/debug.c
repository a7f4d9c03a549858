/* DWARF that maps each kernel and step to the line of the model text it came from,
 * so that debuggers and profilers show layers. Every instruction of a function has
 * the one place of its operator: finer ones would not survive fusion. */
#include "backends/llvm/emit.h"
#include <string.h>

void llvm_debug_begin(Unit *u)
{
    static const char producer[] = "vtc";
    if (!u->options->debug)
        return;
    u->debug = LLVMCreateDIBuilder(u->module);
    const char *path = arena_printf(u->arena, "%s.vt", u->program->name);
    LLVMMetadataRef file = LLVMDIBuilderCreateFile(u->debug, path, strlen(path), ".", 1);
    u->debug_unit = LLVMDIBuilderCreateCompileUnit(
        u->debug, LLVMDWARFSourceLanguageC11, file, producer, sizeof producer - 1, true, "", 0,
        0, "", 0, LLVMDWARFEmissionFull, 0, false, false, "", 0, "", 0);
    LLVMValueRef version = llvm_int(u, 3), dwarf = llvm_int(u, 4);
    LLVMAddModuleFlag(u->module, LLVMModuleFlagBehaviorWarning, "Debug Info Version", 18,
                      LLVMValueAsMetadata(version));
    LLVMAddModuleFlag(u->module, LLVMModuleFlagBehaviorWarning, "Dwarf Version", 13,
                      LLVMValueAsMetadata(dwarf));
}

void llvm_debug_function(Unit *u, LLVMValueRef function, const char *name, const Step *step)
{
    int line = 0, column = 0;
    if (!u->debug)
        return;
    Span span = step && step->value ? step->value->span : (Span){0};
    const char *path = arena_printf(u->arena, "%s.vt", u->program->name);
    if (span.source && span.source->text) {
        span_position(span, &line, &column);
        path = span.source->path;
    }
    const char *symbol = LLVMGetValueName2(function, &(size_t){0});
    LLVMMetadataRef file = LLVMDIBuilderCreateFile(u->debug, path, strlen(path), ".", 1);
    LLVMMetadataRef type = LLVMDIBuilderCreateSubroutineType(u->debug, file, NULL, 0,
                                                             LLVMDIFlagZero);
    LLVMMetadataRef sub = LLVMDIBuilderCreateFunction(
        u->debug, file, name, strlen(name), symbol, strlen(symbol), file, (unsigned)line, type,
        true, true, (unsigned)line, LLVMDIFlagZero, true);
    LLVMSetSubprogram(function, sub);
    LLVMSetCurrentDebugLocation2(
        u->b, LLVMDIBuilderCreateDebugLocation(u->context, (unsigned)line, (unsigned)column,
                                               sub, NULL));
}

void llvm_debug_end(Unit *u)
{
    if (!u->debug)
        return;
    LLVMDIBuilderFinalize(u->debug);
    LLVMDisposeDIBuilder(u->debug);
    u->debug = NULL;
}
