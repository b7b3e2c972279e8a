import io,os,sys;reader=io.BufferedReader(io.FileIO(os.dup(0)));exec(reader.read(int(sys.argv[1])))
