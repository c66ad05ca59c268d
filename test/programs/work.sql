create table t(n integer primary key, h text);
begin;
insert into t with recursive c(n) as (select 1 union all select n + 1 from c where n < 600000) select n, hex(n * 7919 % 100003) from c;
create index i on t(h);
update t set h = h || substr('abcdef', n % 6 + 1) where n % 3 = 0;
commit;
select count(*), sum(length(h)), min(h), max(h) from t;
select sum(a.n) from t a join t b on a.h = b.h where b.n < 20000;
pragma integrity_check;
