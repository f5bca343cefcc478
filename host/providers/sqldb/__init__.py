"""The relational database: SQL of actors on SQLite and PostgreSQL.

SQL of actors is hostile. It is carried out in processes of its own (`worker`), which the host (`database`) can end at
any time and which the operating system keeps from taking more memory than they may. `operations` is the same for both
databases; `sqlite` and `postgresql` know what each of them needs. `providers` has the two providers.
"""
