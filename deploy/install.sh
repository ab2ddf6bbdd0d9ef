#!/bin/sh
# Install Portero on a Debian 12 or newer, or bring an installation to this release, from this folder:
#
#   deploy/install.sh --name wa.example.com [--proxy caddy | --proxy nginx --certificate FILE --key FILE]
#
# Caddy gets a certificate by itself, unless one is given. What is there already stays: settings, secrets,
# data and a proxy's configuration that was changed. tests/deploy/test_installation.py runs this script
# on a bare Debian.
set -eu
unset CDPATH
umask 022
source=$(cd "$(dirname "$0")/.." && pwd)
home=/opt/portero state=/var/lib/portero settings=/etc/portero/portero.env
name= proxy=caddy certificate= key=
say() { printf 'install: %s\n' "$*"; }
stop() { say "$*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
    --name) name=${2-} ;;
    --proxy) proxy=${2-} ;;
    --certificate) certificate=${2-} ;;
    --key) key=${2-} ;;
    *) stop "$1 is no option: see the first lines of $0" ;;
    esac
    shift 2 || stop "an option has no value"
done
[ "$(id -u)" = 0 ] || stop "must be run by root"
command -v apt-get >/dev/null || stop "this is no Debian: docs/how-to/install.md says each step"
case $name in *[!a-z0-9.-]* | "" | .* | -*) stop "--name must be the public name, such as wa.example.com" ;; esac
case $proxy in
caddy) ;;
nginx) [ -n "$certificate" ] || stop "nginx needs --certificate and --key" ;;
*) stop "--proxy must be caddy or nginx" ;;
esac
for file in ${certificate:+"$certificate"} ${key:+"$key"}; do
    [ -r "$file" ] || stop "$file cannot be read"
done
[ -n "$certificate" ] && [ -z "$key" ] && stop "--certificate needs --key"

say "getting Debian's postgresql, python3-venv and $proxy"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y --no-install-recommends install postgresql python3-venv "$proxy" >/dev/null

if [ "$proxy" = caddy ] && [ -n "$certificate" ]; then
    for file in "$certificate" "$key"; do
        setpriv --reuid=caddy --regid=caddy --init-groups test -r "$file" ||
            stop "Caddy runs as the account caddy, which cannot read $file"
    done
fi

say "putting this release into $home"
id portero >/dev/null 2>&1 || useradd --system --home-dir $state --shell /usr/sbin/nologin portero
install -d -m 755 $home /etc/portero
install -d -m 711 -o portero -g portero $state
for part in deploy docs requirements src tools; do
    rm -rf "${home:?}/$part"
    cp -R "$source/$part" "$home/$part"
done
cp "$source/Makefile" "$source/pyproject.toml" "$source/LICENSE" "$source/CHANGELOG.md" $home/
(cd $home && tools/setup runtime)
cat > /usr/local/bin/portero <<SCRIPT
#!/bin/sh
PORTERO_STATE=\${PORTERO_STATE:-$state} exec $home/.venv/bin/portero "\$@"
SCRIPT
chmod 755 /usr/local/bin/portero

# Root alone administrates the database, by who it is: no password of an administrator is written
# anywhere. Portero's own logins have passwords, which `portero migrate` makes.
say "letting root and Portero into PostgreSQL"
systemctl start postgresql
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups psql -qAtX "$@"); }
hba=$(as_postgres -c 'SHOW hba_file') ident=$(as_postgres -c 'SHOW ident_file')
if ! grep -q portero_admin "$hba"; then
    rules=$(mktemp)
    cat > "$rules" <<'RULES'
# Portero
local  all  portero_admin                                               peer map=portero
local  all  portero_migrate,portero_app,portero_gateway,portero_log     scram-sha-256
RULES
    cat "$hba" >> "$rules"
    cat "$rules" > "$hba"
    rm "$rules"
    echo "portero  root  portero_admin" >> "$ident"
    as_postgres -c 'SELECT pg_reload_conf()' >/dev/null
fi
[ "$(as_postgres -c "SELECT count(*) FROM pg_roles WHERE rolname = 'portero_admin'")" = 1 ] ||
    as_postgres -c 'CREATE ROLE portero_admin LOGIN SUPERUSER'

if [ ! -e $settings ]; then
    say "writing $settings"
    (umask 027 && cat > $settings) <<SETTINGS
# Every setting: $home/docs/settings.md. Restart after a change: systemctl restart portero.target
DATABASE_URL=postgresql://portero_admin@/postgres?host=/var/run/postgresql
PORTERO_PUBLIC_URL=https://$name
PORTERO_TRUSTED_PROXIES=127.0.0.1/32
SETTINGS
    chgrp portero $settings
fi
ln -sfn $settings $state/portero.env
portero migrate

say "starting the services"
cp $home/deploy/systemd/portero* /etc/systemd/system/
systemctl daemon-reload
systemctl -q enable portero.target portero-gateway portero-console portero-live portero-worker portero-metrics
systemctl restart portero.target portero-gateway portero-console portero-live portero-worker portero-metrics

# A configuration that somebody changed is theirs: the new one is put beside it.
put() {
    if [ -e "$2" ] && ! cmp -s "$1" "$2" && ! grep -q "$3" "$2"; then
        [ -e "$2.before-portero" ] || cp "$2" "$2.before-portero"
    fi
    if [ -e "$2" ] && grep -q "$3" "$2"; then
        cmp -s "$1" "$2" || { cp "$1" "$2.new" && say "$2 is left as it is; this release's is $2.new"; }
    else
        cp "$1" "$2"
    fi
    rm "$1"
}
say "letting $proxy answer for https://$name"
draft=$(mktemp)
chmod 644 "$draft"
case $proxy in
nginx)
    sed -e "s#wa\.example\.com#$name#" -e "s#/etc/ssl/portero/fullchain\.pem#$certificate#" \
        -e "s#/etc/ssl/portero/privkey\.pem#$key#" $home/deploy/nginx.conf > "$draft"
    put "$draft" /etc/nginx/conf.d/portero.conf "upstream portero_gateway"
    nginx -q -t
    systemctl -q enable nginx
    systemctl restart nginx
    ;;
caddy)
    sed -e "s#wa\.example\.com#$name#" $home/deploy/Caddyfile > "$draft"
    if [ -n "$certificate" ]; then
        sed -i "s#^https://$name {#&\n\ttls $certificate $key#" "$draft"
    fi
    put "$draft" /etc/caddy/Caddyfile "vars behind gateway"
    systemctl -q enable caddy
    systemctl restart caddy
    ;;
esac

tries=30
until portero doctor >/tmp/portero-doctor.$$ 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { cat /tmp/portero-doctor.$$; rm /tmp/portero-doctor.$$; stop "something is wrong: see above"; }
    sleep 1
done
cat /tmp/portero-doctor.$$
rm /tmp/portero-doctor.$$
say "up at https://$name. The first workspace:"
say "portero workspace create \"Tienda Andina\" --owner ana@example.com --timezone America/Lima"
