#include <stdio.h>
#include <string.h>
#include <stdint.h>
char *of(char*,float) __asm__("old.number_write_float"); char *nf(char*,float) __asm__("N.number_write_float");
char *od(char*,double) __asm__("old.number_write_double"); char *nd(char*,double) __asm__("N.number_write_double");
int main(void){ uint64_t bad=0,n=0; char a[64],b[64];
 for(uint64_t i=0;i<(1ull<<32);i+= i<(1u<<24)?1:37){ uint32_t u=i; float f; memcpy(&f,&u,4); memset(a,0,64);memset(b,0,64); size_t x=of(a,f)-a,y=nf(b,f)-b; bad+= x!=y||memcmp(a,b,x); n++; }
 for(int e=0;e<2048;e++)for(int k=0;k<2000;k++){ uint64_t u=(uint64_t)e<<52; static uint64_t s=1; s=s*6364136223846793005u+1442695040888963407u; if(k) u|=(s>>12)>>(k%53); double f; memcpy(&f,&u,8); memset(a,0,64);memset(b,0,64); size_t x=od(a,f)-a,y=nd(b,f)-b; bad+= x!=y||memcmp(a,b,x); n++; }
 printf("%lu tried, %lu differ\n",n,bad); return bad!=0; }
