"""OneRoster exports to read: the files of a small school in both versions, and what may be wrong with them."""

import io
import zipfile
from collections.abc import Mapping

Files = dict[str, str]

_USERS_11 = (
    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"
    "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password"
)
_USERS_12 = (
    "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,"
    "email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,preferredGivenName,"
    "preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns"
)
CLASSES = (
    "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
    "termSourcedIds,subjects,subjectCodes,periods"
)
ENROLMENTS = (
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate"
)
ORGS = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"
SESSIONS = "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear"
ROLES = (
    "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId"
)


def manifest(version: str, **modes: str) -> str:
    lines = ["propertyName,value", "manifest.version,1.0", f"oneroster.version,{version}"]
    kinds = {"academicSessions", "orgs", "classes", "enrollments", "users"}
    lines += [f"file.{kind},{modes.get(kind, 'bulk')}" for kind in sorted(kinds)]
    return "\r\n".join([*lines, "source.systemName,register", ""])


def user(name: str, given: str, family: str, *, version: str = "1.1", role: str = "student", number: str = "") -> str:
    if version == "1.1":
        return f"{name},,,true,S1,{role},{name},,{given},{family},,{number},,,,,03,secret"
    return f"{name},,,true,{name},,{given},{family},,{number},,,,,03,secret,,,,,,S1,"


def enrolment(number: int, class_id: str, user_id: str, *, role: str = "student", more: str = "true,,") -> str:
    return f"E{number},,,{class_id},S1,{user_id},{role},{more}"


def table(header: str, *rows: str) -> str:
    return "\r\n".join([header, *rows, ""])


def small_school(version: str = "1.1") -> Files:
    """Two classes of three and two pupils, a lesson that all of one have together, a teacher; one term is over."""
    pupils = [("u1", "小明", "王"), ("u2", "华", "李"), ("u3", "Anna", "Berg"), ("u4", "伟", "张"), ("u5", "芳", "刘")]
    users = [user(n, g, f, version=version, number=f"2024{n[1:]}") for n, g, f in pupils]
    users.append(user("t1", "老师", "陈", version=version, role="teacher"))
    files = {
        "manifest.csv": manifest(version),
        "orgs.csv": table(ORGS, "D,,,区教育局,district,,", "S1,,,第一小学,school,3101,D"),
        "academicSessions.csv": table(
            SESSIONS, "T1,,,上学期,term,2026-09-01,2027-01-20,,2027", "T0,,,上学年,term,2025-09-01,2026-07-01,,2026"
        ),
        "classes.csv": table(
            CLASSES,
            "c31,,,3-1,03,K,C31,homeroom,,S1,T1,,,",
            "c32,,,3-2,03,K,C32,homeroom,,S1,T1,,,",
            "m31,,,3-1 数学,03,K,M31,scheduled,,S1,T1,,,",
            "c21,,,2-1,02,K,C21,homeroom,,S1,T0,,,",
        ),
        "enrollments.csv": table(
            ENROLMENTS,
            *(
                enrolment(n, c, u)
                for n, (c, u) in enumerate(
                    [
                        ("c31", "u1"),
                        ("c31", "u2"),
                        ("c31", "u3"),
                        ("c32", "u4"),
                        ("c32", "u5"),
                        ("m31", "u1"),
                        ("c21", "u1"),
                    ]
                )
            ),
            enrolment(90, "c31", "t1", role="teacher"),
        ),
        "users.csv": table(_USERS_11 if version == "1.1" else _USERS_12, *users),
    }
    if version == "1.2":
        roles = [f"R{n},,,{n},primary,student,,,S1," for n, _, _ in pupils] + ["Rt,,,t1,primary,teacher,,,S1,"]
        files["roles.csv"] = table(ROLES, *roles)
    return files


def zipped(files: Mapping[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as parts:
        for name, text in files.items():
            parts.writestr(name, text)
    return out.getvalue()
