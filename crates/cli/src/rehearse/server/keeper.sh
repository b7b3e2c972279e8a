# Makes and runs one server for as long as the other end of our stdin is open, which is until its owner ends in any way;
# then the server ends at once and everything that it wrote is removed.
#
# Arguments: the folder, the folder of the programs, and what initdb is told beside them. Ends with 3 where initdb failed.

folder=$1 programs=$2
shift 2

# what the terminal or a service manager says to all is not for us: the end of the pipe is
trap '' HUP INT TERM
exec 3<&0 </dev/null

# Runs a program to its end. Told again and again, since it may not listen yet: what a shell starts in the background
# begins with INT and QUIT ignored.
guarded() {
    signal=$1
    shift
    (exec "$@" 3<&-) &
    program=$!
    {
        read -r nothing <&3
        while kill -"$signal" "$program"; do sleep 0.1; done 2>/dev/null
    } &
    reader=$!
    wait "$program"
    code=$?
    # before the number of the program is somebody else's
    kill -KILL "$reader" 2>/dev/null
    return "$code"
}

guarded TERM "$programs/initdb" --pgdata="$folder/data" --pwfile="$folder/password" "$@"
made=$?
rm -f "$folder/password"
if [ "$made" -eq 0 ]; then
    guarded QUIT "$programs/postgres" -D "$folder/data" -c config_file="$folder/postgresql.conf"
    code=0
else
    code=3
fi
cd /
rm -rf "$folder"
exit "$code"
