# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Denials that look like an attack, and that no rule should ever allow. Pure.

The types are those of Fedora's policy and of refpolicy for what decides who is who, what the kernel runs, and what SELinux itself says.
"""

import re

from .model import CAPABILITY_CLASSES, Denial

WRITING = frozenset(
    ["write", "append", "create", "unlink", "rename", "link", "setattr", "add_name", "remove_name", "reparent", "rmdir", "mounton"]
    + ["relabelfrom", "relabelto", "execmod"]
)
_SECRET = re.compile(
    r"(shadow|.*_shadow|sshd_key|ssh_home|.*_keytab|.*_secret|.*_private_key|.*_key_private|auth_cache|auditd_log|audit_spool|proc_kcore|proc_kmsg)_t\Z"
)
_MACHINE = re.compile(
    r"(memory_device|nvram_device|cpu_device|mtrr_device|fixed_disk_device|scsi_generic_device|crypt_device|tpm_device|kmsg_device"
    r"|modules_object|modules_dep|modules_conf|usermodehelper|sysctl_modprobe|boot|debugfs|tracefs|bpf|efivarfs)_t\Z"
)
_SELINUX = re.compile(r"(security|selinux_config|default_context|file_context|policy_config|policy_src|semanage_store|semanage_(read|trans)_lock)_t\Z")
_ROOT_SOCKET = re.compile(r"(container_var_run|container_runtime|docker_var_run|docker|virt_var_run)_t\Z")
_CODE = re.compile(r"(.*_exec|bin|lib|ld_so|passwd_file|etc_passwd|.*unit_file|systemd_unit|.*cron_spool|cert|auditd_etc|init_var_run)_t\Z")
_MASTERS = re.compile(r"(.*_)?unconfined(_.*)?_t\Z|(init|initrc|kernel|sysadm|setfiles|load_policy|semanage|rpm|dpkg|apt|insmod|kmod)_t\Z")
_ACCOUNTS = re.compile(r"(passwd|group|shadow|gshadow|sudoers|ld\.so\.preload|crontab|subuid|subgid|pam\.conf)(-|\+|\.lock|\.edit)?\Z")
_PROCESS = {
    "ptrace": "to read and change another process's memory",
    "dyntransition": "to change its own domain while it runs",
    "setcurrent": "to change its own domain while it runs",
    "setexec": "to choose the domain of the programs it starts",
    "execmem": "to run memory that it has written, which no program of Go's own compiler needs",
    "execstack": "to run its stack",
    "execheap": "to run its heap",
}
_CLASSES = {
    "security": "to ask or change SELinux itself",
    "bpf": "to load programs into the kernel",
    "perf_event": "to watch the kernel",
    "lockdown": "to pass the kernel's lockdown",
    "kernel_service": "to act for the kernel",
    "memprotect": "to map page zero",
    "netlink_audit_socket": "to speak to the kernel's audit",
    "netlink_selinux_socket": "to listen to SELinux",
    "passwd": "to change accounts",
    "filesystem": "to mount or relabel file systems",
}
# Each of these is as good as root: capabilities(7).
GREAT_CAPABILITIES = frozenset(
    ["sys_module", "sys_rawio", "sys_ptrace", "sys_admin", "sys_boot", "mac_admin", "mac_override", "dac_override", "dac_read_search"]
    + ["setfcap", "bpf", "perfmon", "audit_control", "syslog"]
)


def attempt(denial: Denial) -> str:
    """What such an access would be good for, as "to …"; "" where nothing speaks for an attack."""
    asked, object_type, tclass = set(denial.permissions), denial.object_type, denial.tclass
    writes = bool(asked & WRITING)
    if _SECRET.match(object_type):
        return "to read secrets"
    if tclass in ("process", "process2"):
        found = next((why for name, why in _PROCESS.items() if name in asked), "")
        if not found and asked & {"transition", "nnp_transition", "nosuid_transition"} and _MASTERS.match(object_type):
            found = f"to become {object_type}, which may do nearly everything"
        return found
    if tclass == "system":
        if "module_request" in asked:
            return f"to have the kernel load the module {denial.detail or 'it needs'}"
        return "to load kernel modules" if "module_load" in asked else "to rule the whole system"
    if tclass == "filesystem" and asked <= {"getattr", "quotaget", "watch"}:
        return ""
    if tclass in _CLASSES:
        return _CLASSES[tclass]
    if tclass in CAPABILITY_CLASSES:
        return ""  # cured by taking the capability away
    if _SELINUX.match(object_type) and (writes or object_type == "security_t"):
        return "to ask or change SELinux itself"
    if _MACHINE.match(object_type) and (writes or object_type.endswith("device_t")):
        return "to reach the kernel, its memory or whole disks"
    if _ROOT_SOCKET.match(object_type) and tclass in ("sock_file", "unix_stream_socket"):
        return "to command a container engine or hypervisor, which is as good as root"
    if writes and _ACCOUNTS.match(denial.name) and (not denial.path or denial.path.startswith("/etc/")):
        return "to change accounts and who may become root"
    if writes and (_CODE.match(object_type) or denial.path.startswith("/etc/sudoers.d/")):
        return "to change what others run or trust"
    return "to enter its domain from any program" if "entrypoint" in asked and object_type in ("bin_t", "shell_exec_t", "usr_t") else ""
