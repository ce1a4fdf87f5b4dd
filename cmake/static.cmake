# A program with the property WGD_STATIC is linked whole, but still position-independent: no dynamic loader runs, which
# is a third to a half of the time such a program needs from exec(2) to its first answer (docs/performance.md). Rooms
# name their libraries by wgd_library(), so that one room serves programs of both kinds.
#
# wgd-datapath is such a program where the fastest cipher library can be linked that way. Turned off, or where it
# cannot, it is linked as every other program is, and may open OpenSSL at run time as a further cipher.
find_library(WGD_IPSEC_MB_ARCHIVE libIPSec_MB.a)
find_library(WGD_SODIUM_ARCHIVE libsodium.a)
find_library(WGD_LIBB2_ARCHIVE libb2.a)
mark_as_advanced(WGD_IPSEC_MB_ARCHIVE WGD_SODIUM_ARCHIVE WGD_LIBB2_ARCHIVE)
if(WGD_IPSEC_MB_ARCHIVE AND WGD_SODIUM_ARCHIVE AND WGD_LIBB2_ARCHIVE AND NOT WGD_SANITIZE)
  set(can_be_static ON)
else()
  set(can_be_static OFF)
endif()
option(WGD_STATIC_DATAPATH "Link wgd-datapath statically" ${can_be_static})

# wgd_library(VARIABLE DYNAMIC STATIC): sets VARIABLE to what a target links, as its program's property WGD_STATIC has it.
function(wgd_library variable dynamic static)
  set(${variable} "$<IF:$<BOOL:$<TARGET_PROPERTY:WGD_STATIC>>,${static},${dynamic}>" PARENT_SCOPE)
endfunction()

# Before the program's other properties are of use: make it a static one if it is to be.
function(wgd_link_static program)
  if(WGD_STATIC_DATAPATH)
    # Precompiled headers are made for {fmt} as a shared library.
    set_target_properties(${program} PROPERTIES WGD_STATIC ON DISABLE_PRECOMPILE_HEADERS ON)
  endif()
endfunction()

wgd_library(WGD_FMT fmt::fmt wgd_static_fmt)
wgd_library(WGD_SODIUM PkgConfig::SODIUM "${WGD_SODIUM_ARCHIVE}")
